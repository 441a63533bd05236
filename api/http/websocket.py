"""Raw streams inside a websocket, for clients that are web pages."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.errors import Forbidden, Internal, InvalidArgument
from api.http.hijack import Duplex, connection_of
from api.http.websocket_frames import (
    FrameReader,
    Opcode,
    ProtocolError,
    accept_key,
    pack,
    pack_close,
)

_GOING, _NORMAL = 1001, 1000


class WebSocketStream:
    """Fulfils Duplex over another: binary frames out, any data frames in."""

    def __init__(self, raw: Duplex) -> None:
        self._raw = raw
        self._frames = FrameReader()
        self._ready: deque[bytes] = deque()
        self._ended = False
        self._over = asyncio.Event()

    async def read(self, limit: int = 65536) -> bytes:
        """Return the next bytes; b"" once the client closed."""
        while not self._ready and not self._ended:
            await self._take(await self._raw.read(limit))
        return self._ready.popleft() if self._ready else b""

    async def write(self, data: bytes) -> None:
        """Send one binary frame. Errors: ConnectionError when the client is gone."""
        await self._raw.write(pack(Opcode.BINARY, data))

    def write_eof(self) -> None:
        """Do nothing: a websocket ends in both directions at once."""

    async def closed(self) -> None:
        """Return when the client has closed, or is gone."""
        gone = asyncio.ensure_future(self._raw.closed())
        over = asyncio.ensure_future(self._over.wait())
        try:
            await asyncio.wait((gone, over), return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            over.cancel()

    def close(self) -> None:
        """Close the connection."""
        self._raw.close()

    async def finish(self) -> None:
        """Say that there is no more. Errors: ConnectionError."""
        if not self._ended:
            await self._raw.write(pack_close(_NORMAL))

    async def _take(self, data: bytes) -> None:
        if not data:
            self._end()
            return
        try:
            for frame in self._frames.feed(data):
                await self._act(frame.opcode, frame.payload)
        except ProtocolError as error:
            self._end()
            await self._raw.write(pack_close(error.code))

    async def _act(self, opcode: Opcode, payload: bytes) -> None:
        if self._ended:
            return
        if opcode is Opcode.CLOSE:
            self._end()
            await self._raw.write(pack(Opcode.CLOSE, payload[:2]))
        elif opcode is Opcode.PING:
            await self._raw.write(pack(Opcode.PONG, payload))
        elif opcode is not Opcode.PONG and payload:
            self._ready.append(payload)

    def _end(self) -> None:
        self._ended = True
        self._over.set()


class WebSocketUpgraded(Response):
    """Makes the connection a websocket and gives it to `serve`; closes it when that returns."""

    def __init__(self, serve: Callable[[Duplex], Awaitable[None]], key: str) -> None:
        super().__init__()
        self._serve = serve
        self._key = key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take the connection over and serve it to the end."""
        connection = connection_of(scope)
        if connection is None:
            raise Internal("the connection to this client cannot be hijacked")
        head = (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept_key(self._key)}\r\n"
        )
        stream = WebSocketStream(await connection.hijack(head.encode()))
        try:
            await self._serve(stream)
            await stream.finish()
        except ConnectionError:
            return  # The client left: nobody is there to be told.
        finally:
            stream.close()


def handshake_key(request: Request) -> str:
    """Return the key of a client that asks for a websocket.

    Over TCP a web page of another host may not ask: a browser would let any page do it.
    Errors:  InvalidArgument (no handshake), Forbidden (a page from elsewhere).
    """
    key = request.headers.get("sec-websocket-key", "")
    connection = connection_of(request.scope)
    if not key or connection is None or not connection.wants_upgrade:
        raise InvalidArgument("this needs a websocket: the request is no handshake of one")
    if request.headers.get("sec-websocket-version") != "13":
        raise InvalidArgument("unsupported websocket version: only 13 is spoken here")
    origin = request.headers.get("origin", "")
    here = request.headers.get("host", "").lower()
    if request.client is not None and origin and urlsplit(origin).netloc.lower() != here:
        raise Forbidden(f"websockets of pages from {origin[:200]} are not accepted")
    return key
