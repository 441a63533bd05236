"""Change what is wanted of a node."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from api.cluster_errors import LastManager, NotRaftMember, QuorumLoss
from api.types.nodes import NodeRole, NodeSpec
from manager.cluster.env import ClusterEnv
from manager.cluster.refs import resolve
from manager.core.member import Member, can_spare
from manager.core.objects.node import Node
from manager.core.store.tables import NODES
from manager.core.store.transaction import Transaction
from manager.core.validate.nodes import check_node_spec


async def update_node(env: ClusterEnv, ref: str, version: int, spec: NodeSpec) -> None:
    """Replace a node's spec; another role is carried out afterwards, by the loop of roles.

    Errors:  InvalidArgument, NoSuchNode, AmbiguousRef, StaleVersion; LastManager, QuorumLoss and
             NotRaftMember for a manager that cannot be made a worker.
    """
    check_node_spec(spec)
    members = await env.members.seen()

    def change(tx: Transaction) -> None:
        node = resolve(NODES, tx.nodes, ref)
        updated = tx.nodes.update(replace(node, spec=spec), version=version)
        if _is_demotion(node, updated):
            _check_demotion(node, tx, members)

    await env.store.update(change)


def _is_demotion(before: Node, after: Node) -> bool:
    return (before.spec.Role, after.spec.Role) == (NodeRole.MANAGER, NodeRole.WORKER)


def _check_demotion(node: Node, tx: Transaction, members: Sequence[Member]) -> None:
    """Refuse a demotion that the cluster would not survive; the new spec is written already."""
    if not tx.nodes.count(wanted_role=NodeRole.MANAGER):
        raise LastManager
    member = next((each for each in members if each.node_id == node.id), None)
    if member is None:
        raise NotRaftMember
    if not can_spare(members, member.raft_id):
        raise QuorumLoss
