"""From the roles that are wanted to those that are: what the leader does next for each node."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from api.types.nodes import NodeRole
from manager.core.member import Member, can_spare
from manager.core.objects.node import ManagerMember, Node


class Rewrite(Struct, frozen=True):
    """The node's object is not what it should be; `settled` says what it should be."""

    node_id: str


class RemoveMember(Struct, frozen=True):
    """A member of raft has to go before anything else happens with its node."""

    raft_id: int
    node_id: str


class HandOver(Struct, frozen=True):
    """The leader itself is to become a worker: another one must lead, and will see to it."""


Action: TypeAlias = Rewrite | RemoveMember | HandOver


def plan(nodes: Iterable[Node], members: Sequence[Member], own_id: str) -> list[Action]:
    """Return what the leader, the node `own_id`, has to do; [] when all is as it should be.

    At most one member is removed at a time, and none whose loss would cost the quorum. A member
    without a node is one whose node was removed while it joined.
    """
    known = {node.id: node for node in nodes}
    by_node = {member.node_id: member for member in members}
    actions: list[Action] = [
        Rewrite(node.id) for node in known.values() if settled(node, by_node.get(node.id)) != node
    ]
    leaving = [each for each in members if _has_to_go(each, known, own_id)]
    if leaving and all(each.node_id == own_id for each in leaving):
        return [*actions, HandOver()]
    for member in leaving:
        if member.node_id != own_id and can_spare(members, member.raft_id):
            return [*actions, RemoveMember(member.raft_id, member.node_id)]
    return actions


def settled(node: Node, member: Member | None) -> Node:
    """Return the node's object with the role that it has by now, and its place in raft.

    A node that is to be a manager has the role at once: it is what lets it get a manager's
    certificate, and join. One that is to be a worker keeps its role until it is out of raft.
    """
    place = (
        None if member is None else ManagerMember(raft_id=member.raft_id, address=member.address)
    )
    is_manager = node.spec.Role == NodeRole.MANAGER or place is not None
    return replace(node, manager=place, role=NodeRole.MANAGER if is_manager else NodeRole.WORKER)


def _has_to_go(member: Member, nodes: dict[str, Node], own_id: str) -> bool:
    node = nodes.get(member.node_id)
    if node is None:
        return bool(nodes) and member.node_id != own_id
    return node.spec.Role == NodeRole.WORKER
