"""Pending tasks get a node, or words why there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import structlog
from msgspec.structs import replace

from api.types.tasks import TaskState, TaskStatus
from manager.core.objects.node import Node
from manager.core.objects.task import Task
from manager.core.objects.times import to_api_time
from manager.core.scheduler.place import Assignment, Decision, Unplaced
from manager.core.scheduler.recheck import Recheck
from manager.core.scheduler.scheduler import Scheduler, is_held_alike
from manager.core.store.apply import Event
from manager.core.store.command import Action
from manager.core.store.query import View
from manager.core.store.tables import NODES, TASKS
from manager.core.store.transaction import Transaction
from manager.core.store.watch import Match
from manager.loops.feed import NEVER, follow
from manager.ports.clock import Clock
from manager.ports.store import Store

log = structlog.get_logger(__name__)

_CHUNK = 100


class ScheduleLoop:
    """Runs while this manager leads. now_ns tells the time of day."""

    def __init__(self, store: Store, clock: Clock, now_ns: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock
        self._now_ns = now_ns
        self._scheduler = Scheduler()
        self._round: Iterator[list[Decision]] = iter(())

    async def run(self) -> None:
        """Schedule until cancelled."""
        await follow(self, self._store, self._clock, Match(NODES), Match(TASKS))

    def look(self, view: View) -> None:
        """Take in all nodes and tasks."""
        self._scheduler = Scheduler()
        self._round = iter(())
        now_ns = self._now_ns()
        for node in view.nodes:
            self._scheduler.set_node(node)
        for task in view.tasks:
            self._scheduler.set_task(task, now_ns)

    def take(self, event: Event) -> None:
        """Take in what changed."""
        is_gone = event.action is Action.REMOVE
        match event.object:
            case Node() as node if is_gone:
                self._scheduler.remove_node(node.id)
            case Node() as node:
                self._scheduler.set_node(node)
            case Task() as task if is_gone:
                self._scheduler.remove_task(task.id)
            case Task() as task if not is_held_alike(event.old, task):
                self._scheduler.set_task(task, self._now_ns())

    async def act(self) -> float:
        """Decide on some tasks and commit it: what changes meanwhile is taken in between."""
        decisions = next(self._round, None)
        if decisions is None:
            if not self._scheduler.has_work:
                return NEVER
            self._round = self._scheduler.schedule(self._now_ns())
            return 0.0
        await self._commit(decisions)
        return 0.0

    async def _commit(self, decisions: list[Decision]) -> None:
        chunks = [decisions[at : at + _CHUNK] for at in range(0, len(decisions), _CHUNK)]
        refused = await self._store.batch(_change(chunk, self._scheduler.node) for chunk in chunks)
        view = self._store.view()
        for task_id in (each for chunk in refused for each in chunk):
            task = view.tasks.get(task_id)
            if task is None:
                self._scheduler.remove_task(task_id)
            else:
                self._scheduler.forget(task)


def _change(
    decisions: list[Decision], known: Callable[[str], Node | None]
) -> Callable[[Transaction], list[str]]:
    """Return what commits decisions, and returns the tasks of those that no longer held.

    known gives nodes as the scheduler has them.
    """

    def change(tx: Transaction) -> list[str]:
        refused = []
        recheck = Recheck(known)
        for decision in decisions:
            task = tx.tasks.get(decision.task_id)
            if isinstance(decision, Unplaced):
                if task is not None and task.status.State is TaskState.PENDING:
                    status = replace(task.status, Err=decision.reason)
                    tx.tasks.update(replace(task, status=status))
            elif recheck.still_holds(task, tx.nodes.get(decision.node_id)):
                assert task is not None, "nothing holds of a task that is gone"
                tx.tasks.update(_assigned(task, decision, tx.now_ns))
            else:
                refused.append(decision.task_id)
        return refused

    return change


def _assigned(task: Task, decision: Assignment, now_ns: int) -> Task:
    return replace(
        task,
        node_id=decision.node_id,
        generic_resources=decision.generic_resources,
        status=TaskStatus(
            Timestamp=to_api_time(now_ns), State=TaskState.ASSIGNED, Message=decision.message
        ),
    )
