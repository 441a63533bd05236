"""Nodes: what users want of them, what they told, how the leader sees them."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct, field

from api.types.nodes import NodeDescription, NodeRole, NodeSpec, NodeStatus
from manager.core.objects.meta import StoredObject
from manager.core.objects.task import TaskNetwork


class IssuanceState(StrEnum):
    """How far the issuing of a node's certificate is."""

    PENDING = "pending"
    ISSUED = "issued"
    RENEW = "renew"
    """The node is asked to renew: a root rotation runs."""
    FAILED = "failed"


class NodeCertificate(Struct, frozen=True, kw_only=True):
    """A node's certificate (PEM chain), the request (PEM) that it is for, and its role."""

    role: NodeRole = NodeRole.WORKER
    state: IssuanceState = IssuanceState.PENDING
    request: bytes = b""
    certificate: bytes = b""
    error: str = ""


class ManagerMember(Struct, frozen=True, gc=False, kw_only=True):
    """A manager's place in raft: its number there, and host:port that the others reach it at."""

    raft_id: int
    address: str


class Node(StoredObject, frozen=True, kw_only=True):
    """A node. spec.Role is what is wanted; role is what the node is now, and follows it.

    manager is set while the node is a member of raft. Leader and reachability change too often
    to be kept here: they are the consensus's to tell.
    networks are those that the node itself is on: the ingress network.
    """

    spec: NodeSpec = field(default_factory=NodeSpec)
    role: NodeRole = NodeRole.WORKER
    description: NodeDescription = field(default_factory=NodeDescription)
    status: NodeStatus = field(default_factory=NodeStatus)
    manager: ManagerMember | None = None
    certificate: NodeCertificate = field(default_factory=NodeCertificate)
    data_path_address: str = ""
    networks: list[TaskNetwork] = field(default_factory=list)
