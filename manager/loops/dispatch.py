"""Nodes are told what they have to do, and tell what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence

from api.errors import SkepError
from api.types.tasks import TaskStatus
from manager.core.dispatcher.assign import AssignmentChange, NodeAssignments, concerns_node
from manager.core.dispatcher.statuses import check_report, seen
from manager.core.objects.task import Task
from manager.core.store.apply import Event
from manager.core.store.query import View
from manager.core.store.tables import TASKS
from manager.core.store.transaction import Transaction
from manager.core.store.watch import Match
from manager.loops.agent_sessions import AgentSessions
from manager.loops.feed import NEVER, follow
from manager.ports.clock import Clock
from manager.ports.store import Store

_CHUNK = 100
# When more than so many nodes wait to be told, the manager has much to do, and tells each of them
# more at a time: what is new for a node is gathered for so long after it was told last.
_MANY_NODES = 32
_REST_S = 0.3

Report = tuple[str, TaskStatus]
"""A task's id, and how its node sees it."""


class DispatchLoop:
    """Streams of assignments, one per session. Runs while this manager leads.

    Nodes with news are served in turn, one per turn of the event loop. So an idle manager tells
    each at once, and under load a node's news gather while it waits for its turn, and while it
    rests from the one before.
    """

    def __init__(self, store: Store, clock: Clock, sessions: AgentSessions) -> None:
        self._store = store
        self._clock = clock
        self._sessions = sessions
        self._outboxes: dict[str, _Outbox] = {}
        self._turns: dict[str, None] = {}

    async def run(self) -> None:
        """Tell nodes what changes until cancelled."""
        await follow(self, self._store, self._clock, Match(TASKS))

    def look(self, view: View) -> None:
        """Have all nodes told everything anew: something may have been missed."""
        for node_id, outbox in self._outboxes.items():
            outbox.begin_anew()
            self._turns[node_id] = None

    def take(self, event: Event) -> None:
        """Note for a node what it has to be told; a task never moves."""
        task: Task = event.object
        outbox = self._outboxes.get(task.node_id)
        if outbox is not None and concerns_node(event.old, task, event.action):
            outbox.add(task.id)
            self._turns[task.node_id] = None

    async def act(self) -> float:
        """Let the next node be told."""
        if not self._turns:
            return NEVER
        node_id, now_s = next(iter(self._turns)), self._clock.now_s()
        outbox = self._outboxes.get(node_id)
        if outbox is not None:
            rest_s = outbox.woken_s + _REST_S - now_s
            if rest_s > 0 and len(self._turns) > _MANY_NODES:
                return rest_s
            outbox.wake(now_s)
        del self._turns[node_id]
        return 0.0 if self._turns else NEVER

    async def assignments(
        self, node_id: str, session_id: str
    ) -> AsyncIterator[tuple[AssignmentChange, bool]]:
        """Yield what a node has to do and whether that is all of it, while its session lasts.

        Errors:  NoSession at its end; NotLeader when leadership is lost.
        """
        outbox = _Outbox()
        self._sessions.attach(node_id, session_id, outbox.close)
        self._outboxes[node_id] = outbox
        try:
            while True:
                told = NodeAssignments(node_id)
                yield told.all(self._store.view()), True
                while (task_ids := await outbox.news()) is not None:
                    if change := told.change(task_ids, self._store.view()):
                        yield change, False
        finally:
            if self._outboxes.get(node_id) is outbox:
                del self._outboxes[node_id]

    async def report(self, node_id: str, session_id: str, reports: Sequence[Report]) -> None:
        """Keep what a node saw of its tasks; reports of tasks that are forgotten are passed over.

        Errors:  NoSession; NotSeen, ForeignTask: nothing of that part is kept; those of updates.
        """
        self._sessions.beat(node_id, session_id)  # who reports lives
        for task_id, status in reports:
            check_report(task_id, status)
        await self._store.batch(_change(node_id, chunk) for chunk in _chunks(reports))


class _Outbox:
    """What one stream has to tell yet: the tasks that changed, each once. None: everything.

    woken_s is when it was told last to tell, by the loop's clock.
    """

    def __init__(self) -> None:
        self.woken_s = float("-inf")
        self._tasks: dict[str, None] = {}
        self._is_all = False
        self._end: SkepError | None = None
        self._woken = asyncio.Event()

    def add(self, task_id: str) -> None:
        self._tasks[task_id] = None

    def begin_anew(self) -> None:
        self._is_all = True

    def wake(self, now_s: float) -> None:
        self.woken_s = now_s
        self._woken.set()

    def close(self, why: SkepError) -> None:
        self._end = why
        self._woken.set()

    async def news(self) -> list[str] | None:
        """Return the tasks to tell of, once there are some. Errors: why the session ended."""
        await self._woken.wait()
        self._woken.clear()
        if self._end is not None:
            raise self._end
        tasks, self._tasks = [*self._tasks], {}
        is_all, self._is_all = self._is_all, False
        return None if is_all else tasks


def _chunks(reports: Sequence[Report]) -> Iterator[Sequence[Report]]:
    for start in range(0, len(reports), _CHUNK):
        yield reports[start : start + _CHUNK]


def _change(node_id: str, reports: Sequence[Report]) -> Callable[[Transaction], None]:
    def change(tx: Transaction) -> None:
        for task_id, status in reports:
            task = tx.tasks.get(task_id)
            if task is not None and (after := seen(task, node_id, status, tx.now_ns)) is not task:
                tx.tasks.update(after)

    return change
