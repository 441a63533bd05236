"""The leader's dispatcher, as an agent speaks with it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from agent.core.assignments import Piece
from agent.core.overlay_news import OverlayNews, Place
from api.types.logs import LogOptions, LogPosition
from api.types.nodes import NodeAvailability, NodeDescription, NodeRole
from api.types.tasks import TaskStatus

if TYPE_CHECKING:  # gRPC is heavy, and a daemon without a swarm does without
    from protos.identity.channels import Credentials


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """How a node introduces itself; addresses as in the swarm's node state."""

    description: NodeDescription
    previous_session_id: str = ""
    address: str = ""
    manager_address: str = ""
    data_path_address: str = ""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The manager that was asked does not lead; who does, both parts "" where that is unknown."""

    node_id: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What the managers want this node to know; all of it in every message."""

    session_id: str
    heartbeat_s: float
    managers: tuple[tuple[str, str], ...]
    role: NodeRole
    availability: NodeAvailability
    roots: bytes = b""
    renew_certificate: bool = False


@dataclass(frozen=True, slots=True)
class LogOrder:
    """Whose logs a reader wants from this node, or that it reads no more.

    `positions` are by task: how far the reader has a log already.
    """

    reading_id: str
    options: LogOptions
    task_ids: tuple[str, ...] = ()
    is_close: bool = False
    positions: Mapping[str, LogPosition] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LogPiece:
    """Whole frames of a task's log and how far it is read by them, or why it cannot be read."""

    data: bytes = b""
    problem: str = ""
    task_id: str = ""
    position: LogPosition | None = None


class Dispatcher(Protocol):
    """One manager's dispatcher.

    Errors of all:  Unavailable when it does not answer; NotFound when session or node are gone,
                    Forbidden and Unauthenticated when it is not for this node.
    """

    def session(self, registration: Registration) -> AsyncIterator[News | Elsewhere]:
        """Register, and yield what the managers tell, until the session ends."""
        ...

    async def heartbeat(self, session_id: str, timeout_s: float) -> float:
        """Say that the node is alive; return the seconds until the next one is due."""
        ...

    async def pause(self, session_id: str, timeout_s: float) -> None:
        """Say that this agent ends and will be back, while what the node runs goes on."""
        ...

    def assignments(self, session_id: str) -> AsyncIterator[Piece]:
        """Yield what the node has to do: all of it first, then what changes."""
        ...

    def overlays(self, session_id: str) -> AsyncIterator[OverlayNews]:
        """Yield what is on the node's overlay networks: all of it first, then what changes."""
        ...

    async def confirm_overlays(self, session_id: str, sequence: int) -> None:
        """Say that news of networks, up to this number, are in the node's tables."""
        ...

    async def settle_overlays(self, session_id: str, limit_s: float) -> bool:
        """Return when all nodes have what the managers know by now; False if that takes longer."""
        ...

    async def attach(
        self,
        session_id: str,
        container_id: str,
        network: str,
        names: Sequence[str],
        addresses: Sequence[str],
    ) -> Place:
        """Return the place of a container that is no task on a network, by its id or name.

        It may ask for bare addresses, one of a family.

        Errors:  NotFound, Forbidden, ... why it gets none.
        """
        ...

    async def keep_attachments(self, session_id: str, kept: Collection[tuple[str, str]]) -> None:
        """Give up all places of containers but these: the container's id and the network's."""
        ...

    async def renew_keys(self, session_id: str) -> None:
        """Have the keys of encrypted networks change before their time."""
        ...

    async def update_task_status(self, session_id: str, updates: Mapping[str, TaskStatus]) -> None:
        """Tell what was seen of tasks, by task id."""
        ...

    def log_orders(self, session_id: str) -> AsyncIterator[LogOrder]:
        """Yield whose logs are asked for of this node."""
        ...

    async def publish_logs(
        self, session_id: str, reading_id: str, pieces: AsyncIterator[LogPiece]
    ) -> None:
        """Send what a reading asked for, no faster than it is read; NotFound: nobody reads."""
        ...

    async def close(self) -> None:
        """Hang up."""
        ...


class Dispatchers(Protocol):
    """The way to managers."""

    def connect(self, address: str, credentials: Credentials) -> Dispatcher:
        """Return the dispatcher at host:port; the connection is made when it is used."""
        ...
