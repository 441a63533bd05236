"""The local manager's HTTP, with answers that a test gives."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from agent.ports.manager_api import Header, Incoming, Outgoing


@dataclass
class FakeAnswer:
    """Fulfils `Incoming`."""

    status: int = 200
    content: bytes = b""
    headers: Sequence[Header] = ()

    def whole(self) -> bytes | None:
        """Return the body."""
        return self.content

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the body."""
        yield self.content


@dataclass
class FakeManagerApi:
    """Fulfils `ManagerApi`; answers are by method and target."""

    answers: dict[tuple[bytes, bytes], FakeAnswer] = field(default_factory=dict)
    asked: list[Outgoing] = field(default_factory=list)

    @asynccontextmanager
    async def send(self, request: Outgoing) -> AsyncIterator[Incoming]:
        """Note the request, and answer."""
        self.asked.append(request)
        yield self.answers.get((request.method, request.target), FakeAnswer())
