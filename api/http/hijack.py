"""Connections taken over from HTTP: raw bytes both ways, as attach and exec need them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.errors import Internal

EXTENSION = "skep.connection"


class Duplex(Protocol):
    """A raw connection to a client."""

    async def read(self, limit: int = 65536) -> bytes:
        """Return the next bytes, at most `limit`; b"" once the client sends no more."""
        ...

    async def write(self, data: bytes) -> None:
        """Send, waiting while the client is slow. Errors: ConnectionError when it is gone."""
        ...

    def write_eof(self) -> None:
        """End our direction; the client may go on sending."""
        ...

    async def closed(self) -> None:
        """Return when the client is fully gone; half-closing is not being gone."""
        ...

    def close(self) -> None:
        """Close, once what was written is sent."""
        ...


class Connection(Protocol):
    """What our server's protocol offers a response beyond ASGI, as an extension of the scope."""

    @property
    def wants_upgrade(self) -> bool:
        """Whether the request asked for `Connection: Upgrade`."""
        ...

    @property
    def gone(self) -> asyncio.Event:
        """Set when the client is gone."""
        ...

    def answer(self, status: int, headers: bytes, content: bytes) -> None:
        """Send a whole response at once; `headers` are lines, each with its end."""
        ...

    async def hijack(self, head: bytes) -> Duplex:
        """Send the head (status line and headers as bytes) and give the connection away."""
        ...

    def abort(self) -> None:
        """Cut the connection, so that the client sees that the answer is not whole."""
        ...


def connection_of(scope: Scope) -> Connection | None:
    """Return our server's connection of a request; None under another server."""
    connection: Connection | None = scope.get("extensions", {}).get(EXTENSION)
    return connection


class Upgraded(Response):
    """Gives the raw connection to `serve`, and closes it when `serve` returns.

    Clients that asked to upgrade get `101 UPGRADED`; others (of old) `200 OK`, and then raw
    bytes as well. Bytes that the client sent behind its request are the first that `serve` reads.
    """

    def __init__(self, serve: Callable[[Duplex], Awaitable[None]], media_type: str) -> None:
        super().__init__()
        self._serve = serve
        self._media_type = media_type

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take the connection over and serve it to the end."""
        connection = connection_of(scope)
        if connection is None:
            raise Internal("the connection to this client cannot be hijacked")
        duplex = await connection.hijack(self._head(upgrade=connection.wants_upgrade))
        try:
            await self._serve(duplex)
        except ConnectionError:
            return  # The client left: nobody is there to be told.
        finally:
            duplex.close()

    def _head(self, *, upgrade: bool) -> bytes:
        media_type = f"Content-Type: {self._media_type}\r\n".encode()
        if upgrade:
            return (
                b"HTTP/1.1 101 UPGRADED\r\n" + media_type + b"Connection: Upgrade\r\n"
                b"Upgrade: tcp\r\n"
            )
        return b"HTTP/1.1 200 OK\r\n" + media_type
