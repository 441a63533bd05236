"""Constraints go on being enforced: a node that no longer fits its tasks loses them."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from manager.core.objects.node import Node
from manager.core.orchestrator.carry_out import carry_out
from manager.core.orchestrator.enforcer import enforce
from manager.core.store.apply import Event
from manager.core.store.command import Action
from manager.core.store.query import View
from manager.core.store.tables import NODES
from manager.core.store.transaction import Transaction
from manager.core.store.watch import Match
from manager.loops.feed import NEVER, follow
from manager.loops.orchestrate import is_alike
from manager.ports.clock import Clock
from manager.ports.store import Store

log = structlog.get_logger(__name__)


class EnforceLoop:
    """Runs while this manager leads."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._changed: dict[str, None] = {}

    async def run(self) -> None:
        """Enforce constraints until cancelled."""
        await follow(self, self._store, self._clock, Match(NODES))

    def look(self, view: View) -> None:
        """Have all nodes looked at."""
        self._changed = {node.id: None for node in view.nodes}

    def take(self, event: Event) -> None:
        """Have a node looked at that changed."""
        node, old = event.object, event.old
        if event.action is Action.UPDATE and not is_alike(old, node):
            self._changed[node.id] = None

    async def act(self) -> float:
        """Take tasks off the nodes that changed."""
        if not self._changed:
            return NEVER
        changed, self._changed = self._changed, {}
        rejected = await self._store.batch(_change(node_id) for node_id in changed)
        for node_id, count in zip(changed, rejected, strict=True):
            if count:
                log.info("node.no_longer_fits", node_id=node_id, tasks=count)
        return NEVER


def _change(node_id: str) -> Callable[[Transaction], int]:
    def change(tx: Transaction) -> int:
        node: Node | None = tx.nodes.get(node_id)
        if node is None:
            return 0
        actions = enforce(node, tx.tasks.by(node=node_id))
        for action in actions:
            carry_out(tx, action)
        return len(actions)

    return change
