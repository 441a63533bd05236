"""HTTP/1.1 as uvicorn serves it, plus hijack: early bytes kept, half-closing kept.

Uvicorn's parser takes all bytes for HTTP. Here it gets a request's head and its body and no byte
more; what the client sends behind them waits until the response is complete (then it is the next
request) or the connection is hijacked (then it is the start of the raw stream). The `Upgrade`
header is taken out before parsing, so that an upgrading request's body is read like any other.
"""

from __future__ import annotations

import asyncio
import re
from enum import Enum, auto
from functools import lru_cache
from typing import Any

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from api.http.hangup import HangupWatch
from api.http.hijack import EXTENSION
from api.http.raw_stream import RawStream

HEAD_LIMIT_BYTES = 64 << 10
AHEAD_LIMIT_BYTES = 256 << 10
DRAIN_LIMIT_BYTES = 1 << 20
HEAD_TIMEOUT_S = 300.0

_END_OF_HEAD = b"\r\n\r\n"
_LAST_CHUNK = b"0\r\n\r\n"
_UPGRADE = re.compile(rb"\r\nupgrade:[ \t]*([^\r\n]*)", re.IGNORECASE)
_CONNECTION_UPGRADE = re.compile(rb"\r\nconnection:[^\r\n]*\bupgrade\b", re.IGNORECASE)


@lru_cache(maxsize=8)
def header_lines(headers: tuple[tuple[bytes, bytes], ...]) -> bytes:
    """Return headers as they go over the wire."""
    return b"".join(name + b": " + value + b"\r\n" for name, value in headers)


class Stage(Enum):
    """Where a connection is in a request."""

    HEAD = auto()  # between requests, or in a request's head
    SIZED = auto()  # in a body of known length
    CHUNKED = auto()  # in a body whose end the parser finds
    AHEAD = auto()  # the request is complete, its response is not


class HijackProtocol(HttpToolsProtocol):
    """One connection. As `skep.connection` in a scope's extensions it fulfils hijack.Connection."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.gone = asyncio.Event()
        self.wants_upgrade = False
        self.stage = Stage.HEAD
        self.begun = b""
        self._body_left = 0
        self._drained = 0
        self._chunked = False
        self._complete = False
        self._ahead = bytearray()
        self._eof = False
        self._watch: HangupWatch | None = None
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's own
        """Give the client a time to send its first head in."""
        super().connection_made(transport)
        self._head_timer = self.loop.call_later(HEAD_TIMEOUT_S, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits for the client."""
        self.gone.set()
        self._stop_watches()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Give the parser what belongs to the present request, and keep the rest."""
        self._unset_keepalive_if_required()
        while data and not self.transport.is_closing():
            match self.stage:
                case Stage.HEAD:
                    data = self.take_head(data)
                case Stage.SIZED:
                    self._limit_drain(len(data))
                    data = self._take_sized(data)
                case Stage.CHUNKED:
                    self._limit_drain(len(data))
                    data = self._take_chunked(data)
                case Stage.AHEAD:
                    self._ahead += data
                    if len(self._ahead) > AHEAD_LIMIT_BYTES:
                        self.flow.pause_reading()
                    return

    def eof_received(self) -> bool | None:  # type: ignore[override] # uvicorn's always closes
        """Keep the connection for a response on its way to a client that ended its sending.

        Over TCP a client that only half-closes cannot be told from one that left; one that
        asked to upgrade gets the benefit of the doubt, others are taken for gone, as Go does.
        """
        unix = self.client is None
        if self.stage is not Stage.AHEAD or (not unix and not self.wants_upgrade):
            return None
        self._eof = True
        self._watch = HangupWatch(self.transport, self.transport.abort)
        return True

    def on_headers_complete(self) -> None:
        """Start the request, with this connection in its scope."""
        self.scope["extensions"] = {EXTENSION: self}  # type: ignore[dict-item] # an extension of ours
        super().on_headers_complete()
        if self.wants_upgrade:
            # A refused upgrade leaves bytes that were meant raw; they must not become a request.
            self.cycle.keep_alive = False
        for name, value in self.headers:
            if name == b"content-length":
                self._body_left = int(value)
            elif name == b"transfer-encoding":
                self._chunked = True

    def on_message_begin(self) -> None:
        """Forget what is known of the request before."""
        super().on_message_begin()
        self._complete = self._chunked = False
        self._body_left = self._drained = 0

    def on_message_complete(self) -> None:
        """Note that the parser has seen the end of the request."""
        super().on_message_complete()
        self._complete = True

    def on_response_complete(self) -> None:
        """Go on with what the client sent meanwhile."""
        super().on_response_complete()
        if self.stage is not Stage.AHEAD or self.transport.is_closing():
            return
        self.stage = Stage.HEAD
        if self._ahead:
            ahead, self._ahead = bytes(self._ahead), bytearray()
            self.data_received(ahead)
        elif self._eof:
            self.transport.close()

    def answer(self, status: int, headers: bytes, content: bytes) -> None:
        """Send a whole response at once; `headers` are lines, each with its end."""
        cycle = self.cycle
        if cycle.disconnected or self.transport.is_closing():
            return
        end = b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n"
        if self.scope["method"] == "HEAD":
            content = b""
        self.transport.write(STATUS_LINE[status] + self.fixed_lines() + headers + end + content)
        cycle.response_started = cycle.response_complete = True
        cycle.message_event.set()
        if not cycle.keep_alive:
            self.transport.close()
        cycle.on_response()

    async def hijack(self, head: bytes) -> RawStream:
        """Send the head and give the connection away. Errors: ConnectionResetError."""
        if self.gone.is_set() or self.transport.is_closing():
            raise ConnectionResetError("the client is gone")
        self._stop_watches()
        self._unset_keepalive_if_required()
        stream = RawStream(self.transport, self.gone)
        self.transport.write(head + self.fixed_lines() + b"\r\n")
        self.cycle.response_started = self.cycle.response_complete = True
        self.cycle.message_event.set()
        self.connections.discard(self)
        self.transport.set_protocol(stream)
        if self._ahead:
            stream.data_received(bytes(self._ahead))
        if self._eof:
            stream.eof_received()
        self.flow.resume_reading()
        return stream

    def abort(self) -> None:
        """Cut the connection; nothing more of the response is expected."""
        self.cycle.disconnected = True
        self.transport.abort()

    def fixed_lines(self) -> bytes:
        """Return the headers of every answer, as lines."""
        return header_lines(tuple(self.server_state.default_headers))

    def take_head(self, data: bytes) -> bytes:
        """Take in a request's head once it is whole; return what follows it."""
        buffered = self.begun + data if self.begun else data
        end = buffered.find(_END_OF_HEAD)
        size = len(buffered) if end < 0 else end
        if size > HEAD_LIMIT_BYTES:
            self._refuse("431 Request Header Fields Too Large")
            return b""
        if end < 0:
            self.wait_for_more(buffered)
            return b""
        self.wait_for_more(b"")
        end += len(_END_OF_HEAD)
        head, rest = buffered[:end], buffered[end:]
        self.wants_upgrade = _CONNECTION_UPGRADE.search(head) is not None
        self._feed(_UPGRADE.sub(b"", head))
        self._enter_body()
        return rest

    def wait_for_more(self, begun: bytes) -> None:
        """Keep the beginning of a request, which is to go on in time; b"" when it is whole."""
        self.begun = begun
        if begun and self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_TIMEOUT_S, self.transport.abort)
        elif not begun and self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _enter_body(self) -> None:
        if self._complete:
            self._finish_request()
        elif self._chunked:
            self.stage = Stage.CHUNKED
        elif self._body_left:
            self.stage = Stage.SIZED
        else:
            # The parser waits for what is no HTTP/1 any more: the preface of HTTP/2, say.
            self._refuse("400 Bad Request")

    def _take_sized(self, data: bytes) -> bytes:
        body = data[: self._body_left] if len(data) > self._body_left else data
        self._body_left -= len(body)
        self._feed(body)
        if self._complete:
            self._finish_request()
        return data[len(body) :]

    def _take_chunked(self, data: bytes) -> bytes:
        """Feed up to what may be the end, so that bytes behind it stay out of the parser."""
        end = data.find(_LAST_CHUNK)
        cut = len(data) if end < 0 else end + len(_LAST_CHUNK)
        self._feed(data[:cut] if cut < len(data) else data)
        if self._complete:
            self._finish_request()
        return data[cut:]

    def _limit_drain(self, size: int) -> None:
        """Close on a client that goes on sending the body of a request answered long ago."""
        if self.cycle.response_complete:
            self._drained += size
            if self._drained > DRAIN_LIMIT_BYTES:
                self.transport.close()

    def _finish_request(self) -> None:
        self.stage = Stage.HEAD if self.cycle.response_complete else Stage.AHEAD

    def _feed(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._refuse("400 Bad Request")

    def _refuse(self, status: str) -> None:
        """Answer what is no HTTP in the form that its sender may read, and close."""
        if self.transport.is_closing():
            return
        content = status.encode()
        self.transport.write(
            b"HTTP/1.1 " + content + b"\r\nContent-Type: text/plain; charset=utf-8\r\n"
            b"Connection: close\r\n\r\n" + content
        )
        self.transport.close()

    def _stop_watches(self) -> None:
        if self._watch is not None:
            self._watch.close()
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
