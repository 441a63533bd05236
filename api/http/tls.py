"""TLS whose two directions end apart, as programs written in Go use it.

A client that has no more input says so with a close_notify and goes on reading (RFC 8446 §6.1);
the event loops' own TLS closes both directions then, and the rest of the output is lost. Here the
end of the client's direction is `eof_received`, like the end of a plain stream; a connection that
ends without it is a client that is gone.
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from typing import Any, cast

HANDSHAKE_TIMEOUT_S = 30.0
_READ_BYTES = 256 << 10


class TlsProtocol(asyncio.Protocol):
    """Sits on a TCP transport; `app` gets a TlsTransport once the handshake is through."""

    def __init__(self, context: ssl.SSLContext, app: asyncio.Protocol) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._context = context
        self.app: asyncio.BaseProtocol = app
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_ready = False
        self._has_ended = False
        self._has_said_end = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the client's hello, for a while."""
        self._transport = cast("asyncio.Transport", transport)
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(HANDSHAKE_TIMEOUT_S, transport.abort)  # type: ignore[attr-defined] # it is a Transport

    def data_received(self, data: bytes) -> None:
        """Decrypt, and hand on."""
        self._incoming.write(data)
        try:
            if not self._is_ready:
                self._shake_hands()
            while not self._has_ended and not self.tcp.is_closing():
                plain = self._tls.read(_READ_BYTES)
                if plain:
                    cast("asyncio.Protocol", self.app).data_received(plain)
                else:
                    self._end_input()
        except ssl.SSLWantReadError:
            self._flush()
        except ssl.SSLError:
            # The alert says to the client what was wrong: a missing certificate, say.
            self._flush()
            self.tcp.close()

    def eof_received(self) -> bool | None:
        """Close: without a close_notify before it, or after it, the client is gone."""
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the application, if it has heard of the connection at all."""
        self._stop_timer()
        if self._is_ready:
            self.app.connection_lost(exc)

    def pause_writing(self) -> None:
        """Hold the application back."""
        self.app.pause_writing()

    def resume_writing(self) -> None:
        """Let the application go on."""
        self.app.resume_writing()

    @property
    def tcp(self) -> asyncio.Transport:
        """The transport below."""
        assert self._transport is not None
        return self._transport

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Encrypt and send; the transport below does the buffering."""
        if self._has_said_end or self.tcp.is_closing():
            return
        rest = memoryview(data)
        while rest:
            rest = rest[self._tls.write(rest) :]
        self._flush()

    def end_output(self) -> None:
        """Say close_notify; the client may go on sending."""
        if self._has_said_end or not self._is_ready or self.tcp.is_closing():
            return
        self._has_said_end = True
        with suppress(ssl.SSLError):  # Until the client has ended its own, which is not waited for.
            self._tls.unwrap()
        self._flush()

    def info(self, name: str, default: Any = None) -> Any:
        """Return what is known of the connection, TLS included."""
        if name == "sslcontext":
            return self._context
        if name == "ssl_object":
            return self._tls
        if name == "peercert":
            return self._tls.getpeercert()
        return self.tcp.get_extra_info(name, default)

    def _shake_hands(self) -> None:
        self._tls.do_handshake()
        self._flush()
        self._is_ready = True
        self._stop_timer()
        self.app.connection_made(TlsTransport(self))

    def _end_input(self) -> None:
        self._has_ended = True
        if not cast("asyncio.Protocol", self.app).eof_received():
            self.end_output()
            self.tcp.close()

    def _flush(self) -> None:
        if self._outgoing.pending and not self.tcp.is_closing():
            self.tcp.write(self._outgoing.read())

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class TlsTransport(asyncio.Transport):
    """What the application writes to: a transport whose output can end before its input."""

    def __init__(self, protocol: TlsProtocol) -> None:
        super().__init__()
        self._protocol = protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return `sslcontext`, `peercert`, or what the transport below knows."""
        return self._protocol.info(name, default)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Hand what comes from now on to another protocol."""
        self._protocol.app = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return the protocol that is served."""
        return self._protocol.app

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """Send encrypted."""
        self._protocol.write(data)

    def can_write_eof(self) -> bool:
        """Say that each direction ends by itself."""
        return True

    def write_eof(self) -> None:
        """End our direction alone."""
        self._protocol.end_output()

    def close(self) -> None:
        """End our direction, and the connection once all is sent."""
        self._protocol.end_output()
        self._protocol.tcp.close()

    def abort(self) -> None:
        """Cut the connection."""
        self._protocol.tcp.abort()

    def is_closing(self) -> bool:
        """Say whether it is closed or about to be."""
        return self._protocol.tcp.is_closing()

    def pause_reading(self) -> None:
        """Stop the client."""
        self._protocol.tcp.pause_reading()

    def resume_reading(self) -> None:
        """Let the client go on."""
        self._protocol.tcp.resume_reading()

    def is_reading(self) -> bool:
        """Say whether the client may send."""
        return self._protocol.tcp.is_reading()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set when writers are held back, in encrypted bytes."""
        self._protocol.tcp.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        """Return the encrypted bytes that wait."""
        return self._protocol.tcp.get_write_buffer_size()
