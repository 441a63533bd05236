"""What a node should know about the cluster, besides its tasks."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from api.types.nodes import NodeRole
from manager.core.objects.cluster import Cluster
from manager.core.objects.node import IssuanceState, Node

# The leader has more to do than the others.
LEADER_WEIGHT = 1
FOLLOWER_WEIGHT = 4


class Peer(Struct, frozen=True):
    """A manager: where agents reach it, and how much they should favour it."""

    node_id: str
    address: str
    weight: int


class Common(Struct, frozen=True):
    """What all nodes are told alike. Roots are PEM, all that are trusted now."""

    managers: tuple[Peer, ...]
    roots: str


class Notice(Struct, frozen=True):
    """What one node is told. renew: its certificate is of a root that goes."""

    common: Common
    role: NodeRole
    availability: str
    renew: bool


def common_of(cluster: Cluster, managers: Iterable[Node], leader_id: str) -> Common:
    """Return what follows from the cluster and its managers' nodes."""
    root = cluster.root
    roots = root.certificate
    if root.rotation is not None:
        roots += root.rotation.certificate
    return Common(
        managers=tuple(
            Peer(
                node.id,
                node.manager.address,
                LEADER_WEIGHT if node.id == leader_id else FOLLOWER_WEIGHT,
            )
            for node in managers
            if node.manager is not None
        ),
        roots=roots,
    )


def notice_for(node: Node, common: Common) -> Notice:
    """Return what this node is told."""
    return Notice(
        common=common,
        role=node.role,
        availability=node.spec.Availability,
        renew=node.certificate.state is IssuanceState.RENEW,
    )
