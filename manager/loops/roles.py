"""Promotion and demotion: makes members of raft and nodes' roles follow what is wanted."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress

import structlog

from api.cluster_errors import QuorumLoss
from api.errors import Conflict, Unavailable
from api.types.nodes import NodeRole
from manager.core.member import Member
from manager.core.objects.node import Node
from manager.core.roles import HandOver, RemoveMember, Rewrite, plan, settled
from manager.core.store.errors import LaggedBehind
from manager.core.store.query import View
from manager.core.store.tables import NODES
from manager.core.store.transaction import Transaction
from manager.core.store.watch import Match
from manager.ports.members import Members
from manager.ports.store import Store

log = structlog.get_logger(__name__)

# How long after a change of members, or a refusal, the loop looks again by itself.
_CHECK_S = 1.0


class RoleLoop:
    """Runs while this manager, the node `node_id`, leads."""

    def __init__(self, node_id: str, store: Store, members: Members) -> None:
        self._node_id = node_id
        self._store = store
        self._members = members

    async def run(self) -> None:
        """Follow what is wanted until cancelled."""
        while True:
            with suppress(LaggedBehind), self._store.watch(Match(NODES)) as changes:
                while True:
                    while await self.reconcile():
                        pass
                    with suppress(TimeoutError):
                        async with asyncio.timeout(_CHECK_S):
                            await anext(changes)

    async def reconcile(self) -> bool:
        """Do what has to be done now; tell whether anything was done, and so more may be due.

        What is refused now is tried again later.
        """
        members = await self._members.seen()
        has_done = False
        for action in plan(_candidates(self._store.view(), members), members, self._node_id):
            try:
                await self._do(action)
            except (Conflict, QuorumLoss, Unavailable) as error:
                log.info("roles.postponed", action=repr(action), reason=error.message)
            else:
                # Whoever handed over has nothing more to do.
                has_done = not isinstance(action, HandOver)
        return has_done

    async def _do(self, action: Rewrite | RemoveMember | HandOver) -> None:
        match action:
            case Rewrite(node_id=node_id):
                await self._rewrite(node_id)
            case RemoveMember(raft_id=raft_id, node_id=node_id):
                log.info("roles.removing_member", node_id=node_id)
                await self._members.remove(raft_id)
            case HandOver():
                log.info("roles.handing_over")
                await self._members.transfer_leadership()

    async def _rewrite(self, node_id: str) -> None:
        members = {each.node_id: each for each in self._members.known()}

        def change(tx: Transaction) -> None:
            node = tx.nodes.get(node_id)
            if node is not None and (after := settled(node, members.get(node_id))) != node:
                tx.nodes.update(after)

        await self._store.update(change)


def _candidates(view: View, members: Iterable[Member]) -> list[Node]:
    """Return the nodes that are managers, or are to be, or are members: all others are settled."""
    managers = NodeRole.MANAGER.value
    known = (view.nodes.get(each.node_id) for each in members)
    found = (
        *view.nodes.by(role=managers),
        *view.nodes.by(wanted_role=managers),
        *view.nodes.by(membership="manager"),
        *(node for node in known if node is not None),
    )
    return [*{node.id: node for node in found}.values()]
