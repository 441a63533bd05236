"""Tasks whose node is gone for good are orphans: nobody will ever tell what became of them."""

from __future__ import annotations

from collections.abc import Callable

import structlog
from msgspec.structs import replace

from api.types.nodes import NodeState
from api.types.tasks import TaskState
from manager.core.objects.node import Node
from manager.core.objects.task import Task
from manager.core.objects.times import to_api_time
from manager.core.store.apply import Event
from manager.core.store.command import Action
from manager.core.store.query import View
from manager.core.store.tables import NODES
from manager.core.store.transaction import Transaction
from manager.core.store.watch import Match
from manager.loops.feed import NEVER, follow
from manager.ports.clock import Clock
from manager.ports.store import Store

log = structlog.get_logger(__name__)

ORPHANED = "task orphaned: its node is gone"
# So long may a node be down before its tasks are given up.
_PATIENCE_S = 24 * 3600.0
_NS = 1_000_000_000


class OrphanLoop:
    """Runs while this manager leads. now_ns tells the time of day."""

    def __init__(self, store: Store, clock: Clock, now_ns: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock
        self._now_ns = now_ns
        self._given_up: dict[str, float] = {}

    async def run(self) -> None:
        """Give up tasks until cancelled."""
        await follow(self, self._store, self._clock, Match(NODES))

    def look(self, view: View) -> None:
        """Wait for the nodes that are down, since their last change; give up those removed."""
        self._given_up = {}
        for node in view.nodes:
            if node.status.State == NodeState.DOWN:
                down_s = max(self._now_ns() - node.meta.updated_ns, 0) / _NS
                self._give_up_in(node.id, _PATIENCE_S - down_s)
        for task in view.tasks:
            if task.node_id and task.node_id not in view.nodes and _may_run(task):
                self._give_up_in(task.node_id, 0)

    def take(self, event: Event) -> None:
        """Begin or end to wait for a node."""
        node: Node = event.object
        if event.action is Action.REMOVE:
            self._given_up[node.id] = self._clock.now_s()
        elif node.status.State != NodeState.DOWN:
            self._given_up.pop(node.id, None)
        elif node.id not in self._given_up:
            self._give_up_in(node.id, _PATIENCE_S)

    async def act(self) -> float:
        """Give up the tasks of nodes whose time is over."""
        now_s = self._clock.now_s()
        for node_id in [each for each, at_s in self._given_up.items() if at_s <= now_s]:
            del self._given_up[node_id]
            if count := await self._store.update(_change(node_id)):
                log.warning("tasks.orphaned", node_id=node_id, tasks=count)
        return min(self._given_up.values(), default=NEVER) - now_s

    def _give_up_in(self, node_id: str, seconds: float) -> None:
        self._given_up[node_id] = self._clock.now_s() + seconds


def _may_run(task: Task) -> bool:
    return TaskState.ASSIGNED <= task.status.State <= TaskState.RUNNING


def _change(node_id: str) -> Callable[[Transaction], int]:
    def change(tx: Transaction) -> int:
        node = tx.nodes.get(node_id)
        if node is not None and node.status.State != NodeState.DOWN:
            return 0
        lost = [task for task in tx.tasks.by(node=node_id) if _may_run(task)]
        for task in lost:
            status = replace(
                task.status,
                Timestamp=to_api_time(tx.now_ns),
                State=TaskState.ORPHANED,
                Message=ORPHANED,
            )
            tx.tasks.update(replace(task, status=status))
        return len(lost)

    return change
