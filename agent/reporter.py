"""What became of tasks, told to the managers: at once when idle, in batches when busy."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from agent.ports.dispatcher import Dispatcher
from agent.swarm.signal import Signal
from api.types.tasks import TaskStatus

_BATCH = 1000


class Reporter:
    """Keeps the newest status of each task until a manager has taken it."""

    def __init__(self) -> None:
        self._waiting: dict[str, TaskStatus] = {}
        self._news = asyncio.Event()
        self._moved = Signal()

    def report(self, task_id: str, status: TaskStatus) -> None:
        """Have a status told; one of the task that was not told yet is passed over."""
        self._waiting[task_id] = status
        self._news.set()

    def forget(self, task_id: str) -> None:
        """Tell no more of a task: the managers do not ask for it any longer."""
        self._waiting.pop(task_id, None)
        self._moved.give()

    async def told(self, task_id: str) -> None:
        """Return when nothing more is to be told of a task for now."""
        await self._moved.until(lambda: task_id not in self._waiting)

    async def run(self, dispatcher: Dispatcher, session_id: str) -> None:
        """Tell the managers over this session, until it fails. Errors: SkepError of the call."""
        while True:
            await self._news.wait()
            batch = dict(list(self._waiting.items())[:_BATCH])
            if not batch:
                self._news.clear()
                continue
            await dispatcher.update_task_status(session_id, batch)
            self._taken(batch)

    def _taken(self, batch: Mapping[str, TaskStatus]) -> None:
        for task_id, status in batch.items():
            if self._waiting.get(task_id) is status:
                del self._waiting[task_id]
        self._moved.give()
