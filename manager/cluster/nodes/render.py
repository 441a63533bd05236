"""Nodes as the API shows them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from api.types.nodes import ManagerStatus, Node, Reachability
from api.types.objects import ObjectVersion
from manager.core.member import Member
from manager.core.objects.node import Node as StoredNode
from manager.core.objects.times import to_api_time


def by_node(members: Iterable[Member]) -> dict[str, Member]:
    """Return the members that have a vote or will have one, by their nodes."""
    return {each.node_id: each for each in members}


def to_api(node: StoredNode, members: Mapping[str, Member]) -> Node:
    """Return a node; with its manager's status when it is a member of raft."""
    member = members.get(node.id)
    return Node(
        ID=node.id,
        Version=ObjectVersion(Index=node.meta.version_index),
        CreatedAt=to_api_time(node.meta.created_ns),
        UpdatedAt=to_api_time(node.meta.updated_ns),
        Spec=node.spec,
        Description=node.description,
        Status=node.status,
        ManagerStatus=None if member is None else _manager_status(member),
    )


def _manager_status(member: Member) -> ManagerStatus:
    match member.is_reachable:
        case True:
            reachability = Reachability.REACHABLE
        case False:
            reachability = Reachability.UNREACHABLE
        case None:
            reachability = Reachability.UNKNOWN
    return ManagerStatus(Leader=member.is_leader, Reachability=reachability, Addr=member.address)
