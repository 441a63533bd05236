"""What a node's object becomes when its agent comes or goes."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from api.types.nodes import NodeDescription, NodeState, NodeStatus
from manager.core.objects.node import Node

SILENT = "heartbeat failure"
NEVER_CAME = 'heartbeat failure for node in "unknown" state'
PAUSED = "the daemon was stopped in order and will be back"
LEADER_CHANGED = 'Node moved to "unknown" state due to leadership change in cluster'


class Arrival(Struct, frozen=True, kw_only=True):
    """What an agent tells when it registers; addresses are without ports."""

    description: NodeDescription
    address: str
    data_path_address: str = ""


def arrived(node: Node, arrival: Arrival) -> Node:
    """Return the node as its agent describes it, ready; the same object where nothing is new."""
    return _changed(
        node,
        description=arrival.description,
        status=NodeStatus(State=NodeState.READY, Addr=arrival.address),
        data_path_address=arrival.data_path_address or arrival.address,
    )


def gone(node: Node) -> Node:
    """Return the node as down; the message says why."""
    is_unknown = node.status.State == NodeState.UNKNOWN
    status = replace(
        node.status, State=NodeState.DOWN, Message=NEVER_CAME if is_unknown else SILENT
    )
    return node if node.status.State == NodeState.DOWN else replace(node, status=status)


def paused(node: Node) -> Node:
    """Return a ready node as one whose agent said that it ends and will be back."""
    if node.status.State != NodeState.READY:
        return node
    status = replace(node.status, State=NodeState.DISCONNECTED, Message=PAUSED)
    return replace(node, status=status)


def is_paused(node: Node) -> bool:
    """Tell whether the node's agent said that it will be back."""
    return node.status.State == NodeState.DISCONNECTED


def is_live(node: Node) -> bool:
    """Tell whether the node is not known to be down."""
    return node.status.State in {NodeState.READY, NodeState.DISCONNECTED, NodeState.UNKNOWN}


def inherited(node: Node) -> Node:
    """Return a node as a new leader finds it: it must come back before anything is known of it.

    One that is paused stays so: no leader's change takes back what its agent said.
    """
    if node.status.State != NodeState.READY:
        return node
    status = replace(node.status, State=NodeState.UNKNOWN, Message=LEADER_CHANGED)
    return replace(node, status=status)


def is_awaited(node: Node) -> bool:
    """Tell whether a node is to come: one that is paused, or that only the leader before had."""
    is_inherited = node.status.State == NodeState.UNKNOWN and node.status.Message == LEADER_CHANGED
    return is_inherited or is_paused(node)


def _changed(node: Node, **changes: object) -> Node:
    if all(getattr(node, name) == value for name, value in changes.items()):
        return node
    return replace(node, **changes)
