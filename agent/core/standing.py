"""Where a node stands in a swarm, in the words of the API; and what it cannot do from there."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from api.errors import SkepError
from api.swarm_errors import (
    CertificatesExpired,
    ManagerNotReady,
    NotManager,
    SwarmLocked,
    WorkerNode,
)
from api.types.nodes import NodeRole
from api.types.swarm import LocalNodeState


class ManagerPhase(Enum):
    """How far the local manager is."""

    ABSENT = auto()  # none should run
    STARTING = auto()  # or starting again, after it ended
    LOCKED = auto()
    SERVING = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is known of this node's place; without a swarm all of it is at its defaults.

    `role` is that of the certificate, None as long as there is no certificate.
    `has_session` says that the managers know the node and it has not lost its place since.
    """

    in_swarm: bool = False
    role: NodeRole | None = None
    manager: ManagerPhase = ManagerPhase.ABSENT
    has_session: bool = False
    is_expired: bool = False
    error: str = ""

    @property
    def is_manager(self) -> bool:
        """Whether the node is a manager, in whatever shape."""
        return self.role is NodeRole.MANAGER


def local_state(standing: Standing) -> LocalNodeState:
    """Return what GET /info calls it."""
    if not standing.in_swarm:
        return LocalNodeState.INACTIVE
    if standing.manager is ManagerPhase.LOCKED:
        return LocalNodeState.LOCKED
    if standing.error or standing.is_expired:
        return LocalNodeState.ERROR
    return LocalNodeState.ACTIVE if standing.has_session else LocalNodeState.PENDING


def has_control(standing: Standing) -> bool:
    """Tell whether the cluster can be asked and changed through this node."""
    return standing.in_swarm and standing.manager is ManagerPhase.SERVING


def ping_header(standing: Standing) -> str:
    """Return the `Swarm` header of GET /_ping."""
    state = local_state(standing)
    if state is not LocalNodeState.ACTIVE:
        return state
    return f"{state}/{'manager' if has_control(standing) else 'worker'}"


def refusal(standing: Standing) -> SkepError | None:
    """Return why the local manager cannot be asked; None when it can."""
    match standing:
        case Standing(manager=ManagerPhase.SERVING):
            return None
        case Standing(manager=ManagerPhase.LOCKED):
            return SwarmLocked()
        case Standing(is_expired=True):
            return CertificatesExpired()
        case Standing(in_swarm=False) | Standing(role=None):
            return NotManager()
        case Standing(manager=ManagerPhase.STARTING) | Standing(role=NodeRole.MANAGER):
            return ManagerNotReady()
        case _:
            return WorkerNode()
