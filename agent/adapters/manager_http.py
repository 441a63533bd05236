"""HTTP/1.1 to the local manager over its unix socket, on connections that are kept."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, cast

import httptools

from agent.ports.manager_api import Header, Incoming, ManagerGone, Outgoing
from api.swarm_errors import ManagerNotReady

_CONNECT_TIMEOUT_S = 5.0
_IDLE_LIMIT = 32
_READ_AHEAD_BYTES = 256 << 10
_OF_THE_CONNECTION = frozenset(
    {b"connection", b"keep-alive", b"transfer-encoding", b"te", b"trailer", b"upgrade", b"host"}
)


class ManagerHttp:
    """Fulfils `ManagerApi`."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._idle: deque[Exchange] = deque()

    @asynccontextmanager
    async def send(self, request: Outgoing) -> AsyncIterator[Incoming]:
        """Send a request, and yield its answer."""
        exchange = await self._connection()
        sending = None
        try:
            if isinstance(request.body, bytes):
                exchange.begin(request, request.body)
            else:
                exchange.begin(request, None)
                sending = asyncio.ensure_future(exchange.send_body(request.body))
            await exchange.head_or_failure(sending)
            yield exchange
        finally:
            if sending is not None and not sending.done():
                sending.cancel()
                with suppress(asyncio.CancelledError):
                    await sending
            self._give_back(exchange, sent=sending is None or _is_well_done(sending))

    def borrow(self) -> Exchange | None:
        """Return a connection that is free and open; None if there is none."""
        while self._idle:
            exchange = self._idle.pop()
            if exchange.is_usable:
                return exchange
        return None

    def give_back(self, exchange: Exchange) -> None:
        """Take back what was borrowed, its last answer being whole."""
        self._give_back(exchange, sent=True)

    def close(self) -> None:
        """Close the connections that are not in use."""
        while self._idle:
            self._idle.pop().abort()

    async def _connection(self) -> Exchange:
        exchange = self.borrow()
        return await self.connect() if exchange is None else exchange

    async def connect(self) -> Exchange:
        """Return a fresh connection. Errors: ManagerNotReady."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                _, exchange = await loop.create_unix_connection(Exchange, str(self._socket))
        except (OSError, TimeoutError) as error:
            raise ManagerNotReady from error
        return exchange

    def _give_back(self, exchange: Exchange, *, sent: bool) -> None:
        if sent and exchange.is_usable and len(self._idle) < _IDLE_LIMIT:
            self._idle.append(exchange)
        else:
            exchange.abort()


def _is_well_done(sending: asyncio.Future[None]) -> bool:
    return not sending.cancelled() and sending.exception() is None


class Exchange(asyncio.Protocol):
    """One connection; it carries one request and its answer at a time. Fulfils `Incoming`."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._news = asyncio.Event()
        self._parser: httptools.HttpResponseParser | None = None
        self._lost = False
        self._restart()

    def _restart(self) -> None:
        self.status = 0
        self.headers: list[Header] = []
        self._has_head = self._is_complete = False
        self._keep = True
        self._pieces: deque[bytes] = deque()
        self._unread = 0
        self._paused = False

    # What the transport tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Have a connection."""
        # uvloop's transports are none of asyncio's classes.
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Have none any more."""
        del exc
        self._lost = True
        self._writable.set()
        self._news.set()

    def pause_writing(self) -> None:
        """Send no more for now: the manager is slow."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Send again."""
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        """Take in bytes of the answer."""
        if self._parser is None:
            self.abort()  # The manager speaks though nobody asked.
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.abort()
            self._lost = True
        self._news.set()
        if self._unread > _READ_AHEAD_BYTES and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    # What the parser tells.

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take in a header."""
        name = name.lower()
        if name == b"connection" and b"close" in value.lower():
            self._keep = False
        if name not in _OF_THE_CONNECTION:
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Take in that the head is here."""
        assert self._parser is not None
        self.status = self._parser.get_status_code()
        self._has_head = True

    def on_body(self, data: bytes) -> None:
        """Take in a piece of the body."""
        self._pieces.append(data)
        self._unread += len(data)

    def on_message_complete(self) -> None:
        """Take in that the answer is whole."""
        self._is_complete = True
        self._parser = None

    # What the client does.

    @property
    def transport(self) -> asyncio.Transport:
        """The connection; to be used while this carries no request."""
        assert self._transport is not None
        return self._transport

    @property
    def is_usable(self) -> bool:
        """Whether another request may go over it: the last answer is whole, both ends are open."""
        ended = self._is_complete or (self._parser is None and not self._has_head)
        return ended and self._keep and not self._lost and not self._pieces

    def begin(self, request: Outgoing, body: bytes | None) -> None:
        """Send a request's head, and its body where it is known."""
        self._restart()
        self._parser = httptools.HttpResponseParser(self)
        lines = [request.method, b" ", request.target, b" HTTP/1.1\r\nhost: manager\r\n"]
        self._chunked = body is None
        for name, value in request.headers:
            lowered = name.lower()
            if lowered == b"content-length" and body is None:
                self._chunked = False
            elif lowered in _OF_THE_CONNECTION or lowered == b"content-length":
                continue
            lines += [name, b": ", value, b"\r\n"]
        if body:
            lines += [b"content-length: ", str(len(body)).encode(), b"\r\n"]
        elif self._chunked:
            lines.append(b"transfer-encoding: chunked\r\n")
        self._write(b"".join([*lines, b"\r\n", body or b""]))

    async def send_body(self, pieces: AsyncIterator[bytes]) -> None:
        """Send a body's pieces, waiting while the manager is slow."""
        async for piece in pieces:
            if not piece:
                continue
            self._write(b"%x\r\n%b\r\n" % (len(piece), piece) if self._chunked else piece)
            await self._writable.wait()
            if self._lost:
                return
        if self._chunked:
            self._write(b"0\r\n\r\n")

    async def head_or_failure(self, sending: asyncio.Future[None] | None) -> None:
        """Return when the head is here. Errors: ManagerGone; what the body's source raised."""
        while not self._has_head:
            if self._lost:
                raise ManagerGone
            self._news.clear()
            if sending is None:
                await self._news.wait()
                continue
            news = asyncio.ensure_future(self._news.wait())
            try:
                either: set[asyncio.Future[Any]] = {news, sending}
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            finally:
                news.cancel()
            if sending.done():
                await sending
                sending = None

    def whole(self) -> bytes | None:
        """Return the body if all of it is here."""
        if not self._is_complete:
            return None
        body = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        return body

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes. Errors: ManagerGone."""
        while True:
            while self._pieces:
                yield self._take()
            if self._is_complete:
                return
            if self._lost:
                raise ManagerGone
            self._news.clear()
            await self._news.wait()

    def abort(self) -> None:
        """Cut the connection."""
        self._keep = False
        if self._transport is not None:
            self._transport.abort()

    def _take(self) -> bytes:
        piece = self._pieces.popleft()
        self._unread -= len(piece)
        if self._paused and self._unread < _READ_AHEAD_BYTES // 2 and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return piece

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._lost:
            self._transport.write(data)
