"""Logs of this node's tasks, sent to whoever reads them through the managers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import structlog

from agent.core.task_to_container import LABEL
from agent.ports.dispatcher import Dispatcher, LogOrder, LogPiece
from agent.ports.task_logs import TaskLogs
from agent.runner import TaskRunner
from agent.session import NoNews
from agent.swarm.signal import Signal
from api.errors import NotFound, SkepError
from api.types.assignments import AssignedTask
from api.types.logs import LogOptions
from api.types.tasks import TaskState

log = structlog.get_logger(__name__)

# Blocks of one reading that wait to be sent; whoever reads slowly is read for slowly.
_AHEAD = 4


class LogPublisher:
    """`runner` finds a task of this node; `seen` is given whenever one went a step further."""

    def __init__(
        self, logs: TaskLogs, runner: Callable[[str], TaskRunner | None], seen: Signal
    ) -> None:
        self._logs = logs
        self._runner = runner
        self._seen = seen

    async def run(self, dispatcher: Dispatcher, session_id: str) -> None:
        """Serve readings while the session lasts. Errors: the SkepError of its end."""
        sending: dict[str, list[asyncio.Task[None]]] = {}
        try:
            async for order in dispatcher.log_orders(session_id):
                if order.is_close:
                    for task in sending.pop(order.reading_id, []):
                        task.cancel()
                    continue
                send = asyncio.create_task(self._send(dispatcher, session_id, order))
                going = [each for each in sending.get(order.reading_id, []) if not each.done()]
                sending[order.reading_id] = [*going, send]
        finally:
            left = [task for tasks in sending.values() for task in tasks]
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
        raise NoNews

    async def _send(self, dispatcher: Dispatcher, session_id: str, order: LogOrder) -> None:
        """Send what one order asks for, to the end: the logs of its tasks as they come."""
        ready: asyncio.Queue[LogPiece | None] = asyncio.Queue(_AHEAD)
        reading = asyncio.create_task(self._read_all(order, ready))
        try:
            await dispatcher.publish_logs(session_id, order.reading_id, _pieces(ready))
        except NotFound:
            log.debug("logs.nobody_reads", reading_id=order.reading_id)
        except SkepError as error:
            log.info("logs.not_sent", reading_id=order.reading_id, error=error.message)
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _read_all(self, order: LogOrder, ready: asyncio.Queue[LogPiece | None]) -> None:
        async with asyncio.TaskGroup() as group:
            for task_id in order.task_ids:
                position = order.positions.get(task_id)
                options = order.options if position is None else order.options.after(position)
                group.create_task(self._read(task_id, options, ready))
        await ready.put(None)

    async def _read(
        self, task_id: str, options: LogOptions, ready: asyncio.Queue[LogPiece | None]
    ) -> None:
        """Put the log of one task into the queue; a task without a container has none."""
        try:
            runner = await self._with_container(task_id, options)
            container_id = runner.container_id if runner is not None else None
            if runner is None or container_id is None:
                return
            chunks = self._logs.read(container_id, options, _context(runner.task))
            async for chunk in chunks:
                await ready.put(LogPiece(data=chunk.data, task_id=task_id, position=chunk.position))
        except SkepError as error:
            await ready.put(LogPiece(problem=f"task {task_id}: {error.message}"))

    async def _with_container(self, task_id: str, options: LogOptions) -> TaskRunner | None:
        """Return a task; where the log is followed, once it has a container that began to run."""
        if options.follow:
            await self._seen.until(lambda: self._has_begun(task_id))
        return self._runner(task_id)

    def _has_begun(self, task_id: str) -> bool:
        runner = self._runner(task_id)
        return runner is not None and runner.status.State >= TaskState.RUNNING


async def _pieces(ready: asyncio.Queue[LogPiece | None]) -> AsyncIterator[LogPiece]:
    while (piece := await ready.get()) is not None:
        yield piece


def _context(task: AssignedTask) -> str:
    """Return what tells the docker command which task a line is of."""
    return (
        f"{LABEL}node.id={task.NodeID},{LABEL}service.id={task.ServiceID},{LABEL}task.id={task.ID}"
    )
