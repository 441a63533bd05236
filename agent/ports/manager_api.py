"""The local manager's HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from api.errors import Unavailable

Header = tuple[bytes, bytes]


class ManagerGone(Unavailable):
    """The local manager went away before its answer was whole; what it did is unknown."""

    def __init__(self) -> None:
        super().__init__(
            "the local manager ended before it answered: the request may have been carried out, "
            "look before you repeat it"
        )


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request: target with version and query, as bytes of the request line; headers end to end.

    `body` is all of it, or its pieces as they come. Pieces of a body whose length the headers do
    not tell are sent chunked.
    """

    method: bytes
    target: bytes
    headers: Sequence[Header] = ()
    body: bytes | AsyncIterator[bytes] = b""


class Incoming(Protocol):
    """An answer whose head is here."""

    @property
    def status(self) -> int:
        """The status code."""
        ...

    @property
    def headers(self) -> Sequence[Header]:
        """The headers, names in lower case; those of the connection itself are left out."""
        ...

    def whole(self) -> bytes | None:
        """Return the body if all of it came with the head."""
        ...

    def pieces(self) -> AsyncIterator[bytes]:
        """Return the body as it comes, no faster than it is taken. Errors: ManagerGone."""
        ...


class ManagerApi(Protocol):
    """Sends requests to the local manager."""

    def send(self, request: Outgoing) -> AbstractAsyncContextManager[Incoming]:
        """Send a request, and return its answer; leaving the context early cuts it short.

        Errors:  ManagerNotReady when no manager listens, ManagerGone.
        """
        ...


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer."""

    status: int
    body: bytes
    headers: Sequence[Header] = field(default=())


async def fetch(manager: ManagerApi, request: Outgoing, limit_bytes: int = 64 << 20) -> Reply:
    """Return the whole answer to a request. Errors: as `send`; Unavailable beyond the limit."""
    async with manager.send(request) as answer:
        body = answer.whole()
        if body is None:
            pieces = bytearray()
            async for piece in answer.pieces():
                pieces += piece
                if len(pieces) > limit_bytes:
                    raise Unavailable(f"the manager's answer is larger than {limit_bytes} bytes")
            body = bytes(pieces)
        return Reply(answer.status, body, answer.headers)
