"""Managers' dispatchers that do as a test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from agent.core.assignments import Piece
from agent.core.overlay_news import OverlayNews, Place
from agent.ports.dispatcher import (
    Dispatcher,
    Elsewhere,
    LogOrder,
    LogPiece,
    News,
    Registration,
)
from api.errors import SkepError, Unavailable
from api.types.nodes import NodeAvailability, NodeRole
from api.types.tasks import TaskStatus
from protos.identity.channels import Credentials

End = None


def news(
    session_id: str = "s1",
    role: NodeRole = NodeRole.WORKER,
    managers: tuple[tuple[str, str], ...] = (("m1", "10.0.0.1:2377"),),
    *,
    renew: bool = False,
) -> News:
    """Return what a manager tells."""
    return News(
        session_id=session_id,
        heartbeat_s=5.0,
        managers=managers,
        role=role,
        availability=NodeAvailability.ACTIVE,
        roots=b"roots",
        renew_certificate=renew,
    )


def _set_event() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


@dataclass
class FakeManager:
    """A manager; what is put into `messages` goes to the session that it has."""

    messages: asyncio.Queue[News | Elsewhere | SkepError | None] = field(
        default_factory=asyncio.Queue
    )
    registrations: list[Registration] = field(default_factory=list)
    beats: list[str] = field(default_factory=list)
    pauses: list[str] = field(default_factory=list)
    beat_error: SkepError | None = None
    pieces: asyncio.Queue[Piece] = field(default_factory=asyncio.Queue)
    overlay_streams: int = 0
    confirmed: list[int] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    kept: list[set[tuple[str, str]]] = field(default_factory=list)
    renewals: int = 0
    overlay_news: asyncio.Queue[OverlayNews] = field(default_factory=asyncio.Queue)
    reports: list[dict[str, TaskStatus]] = field(default_factory=list)
    report_error: SkepError | None = None
    orders: asyncio.Queue[LogOrder] = field(default_factory=asyncio.Queue)
    published: dict[str, list[LogPiece | None]] = field(default_factory=dict)
    may_report: asyncio.Event = field(default_factory=_set_event)

    async def session(self, registration: Registration) -> AsyncIterator[News | Elsewhere]:
        """Yield what the test says."""
        self.registrations.append(registration)
        while (message := await self.messages.get()) is not End:
            if isinstance(message, SkepError):
                raise message
            yield message

    async def heartbeat(self, session_id: str, timeout_s: float) -> float:
        """Note the beat."""
        del timeout_s
        if self.beat_error is not None:
            raise self.beat_error
        self.beats.append(session_id)
        return 5.0

    async def pause(self, session_id: str, timeout_s: float) -> None:
        """Note the pause."""
        del timeout_s
        if self.beat_error is not None:
            raise self.beat_error
        self.pauses.append(session_id)

    async def assignments(self, session_id: str) -> AsyncIterator[Piece]:
        """Yield what the test assigns."""
        del session_id
        while True:
            yield await self.pieces.get()

    async def overlays(self, session_id: str) -> AsyncIterator[OverlayNews]:
        """Yield what the test tells of networks."""
        del session_id
        self.overlay_streams += 1
        while True:
            yield await self.overlay_news.get()

    async def confirm_overlays(self, session_id: str, sequence: int) -> None:
        """Note the confirmation."""
        del session_id
        self.confirmed.append(sequence)

    async def settle_overlays(self, session_id: str, limit_s: float) -> bool:
        """Return at once."""
        del session_id, limit_s
        return True

    async def attach(
        self,
        session_id: str,
        container_id: str,
        network: str,
        names: Sequence[str],
        addresses: Sequence[str],
    ) -> Place:
        """Return the place that the test gives."""
        del session_id, container_id, network, names, addresses
        return self.places.pop()

    async def keep_attachments(self, session_id: str, kept: Collection[tuple[str, str]]) -> None:
        """Note what is kept."""
        del session_id
        self.kept.append(set(kept))

    async def renew_keys(self, session_id: str) -> None:
        """Count."""
        del session_id
        self.renewals += 1

    async def update_task_status(self, session_id: str, updates: Mapping[str, TaskStatus]) -> None:
        """Note what was told, when the test lets it."""
        del session_id
        await self.may_report.wait()
        if self.report_error is not None:
            raise self.report_error
        self.reports.append(dict(updates))

    async def log_orders(self, session_id: str) -> AsyncIterator[LogOrder]:
        """Yield what the test orders."""
        del session_id
        while True:
            yield await self.orders.get()

    async def publish_logs(
        self, session_id: str, reading_id: str, pieces: AsyncIterator[LogPiece]
    ) -> None:
        """Note what was sent for a reading, and that it was all."""
        del session_id
        published = self.published.setdefault(reading_id, [])
        async for piece in pieces:
            published.append(piece)
        published.append(None)

    async def close(self) -> None:
        """Do nothing: there is no connection."""


class FakeDispatchers:
    """Fulfils `Dispatchers`; nobody is at addresses without a manager."""

    def __init__(self, managers: dict[str, FakeManager]) -> None:
        self.managers = managers
        self.tried: list[str] = []
        self.shown: list[bytes] = []

    def connect(self, address: str, credentials: Credentials) -> Dispatcher:
        """Return the manager there."""
        self.tried.append(address)
        self.shown.append(credentials.chain)
        return self.managers.get(address) or _Nobody()


class _Nobody(FakeManager):
    async def session(self, registration: Registration) -> AsyncIterator[News | Elsewhere]:
        del registration
        raise Unavailable("connection refused")
        yield  # makes this a generator
