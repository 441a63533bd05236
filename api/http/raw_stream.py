"""A connection that no longer speaks HTTP: bytes both ways, with flow control."""

from __future__ import annotations

import asyncio
from collections import deque

from api.http.hangup import HangupWatch

READ_AHEAD_BYTES = 512 << 10
WRITE_AHEAD_BYTES = 512 << 10
LINGER_S = 60.0


class RawStream(asyncio.Protocol):
    """Fulfils hijack.Duplex on a transport; what was received is handed out uncopied."""

    def __init__(self, transport: asyncio.Transport, gone: asyncio.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport = transport
        self._gone = gone
        self._watch: HangupWatch | None = None
        self._chunks: deque[bytes] = deque()
        self._offset = 0
        self._unread = 0
        self._eof = False
        self._reading_paused = False
        self._waiting_reader: asyncio.Future[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        transport.set_write_buffer_limits(high=WRITE_AHEAD_BYTES)

    def data_received(self, data: bytes) -> None:
        """Keep what came; stop the client when too much of it waits."""
        self._chunks.append(data)
        self._unread += len(data)
        if self._unread > READ_AHEAD_BYTES and not self._reading_paused:
            self._reading_paused = True
            self._transport.pause_reading()
        self._wake_reader()

    def eof_received(self) -> bool:
        """Keep our direction open after the client has ended its own."""
        self._eof = True
        self._wake_reader()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits."""
        self._eof = True
        self._gone.set()
        self._writable.set()
        self._wake_reader()
        if self._watch is not None:
            self._watch.close()

    def pause_writing(self) -> None:
        """Hold writers back: the client is slow."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Let writers go on."""
        self._writable.set()

    async def read(self, limit: int = 65536) -> bytes:
        """Return the next bytes, at most `limit`; b"" when the client sends no more."""
        while not self._chunks:
            if self._eof:
                return b""
            self._waiting_reader = self._loop.create_future()
            try:
                await self._waiting_reader
            finally:
                self._waiting_reader = None
        data = self._take(limit)
        if self._reading_paused and self._unread < READ_AHEAD_BYTES // 2:
            self._reading_paused = False
            self._transport.resume_reading()
        return data

    def _take(self, limit: int) -> bytes:
        first = self._chunks[0]
        end = self._offset + limit
        data = first[self._offset : end] if self._offset or end < len(first) else first
        self._unread -= len(data)
        if end < len(first):
            self._offset = end
        else:
            self._offset = 0
            self._chunks.popleft()
        return data

    async def write(self, data: bytes) -> None:
        """Send, waiting while the client is slow. Errors: ConnectionResetError."""
        self._check()
        self._transport.write(data)
        if not self._writable.is_set():
            await self._writable.wait()
            self._check()

    def write_eof(self) -> None:
        """End our direction; the client may go on sending."""
        if not self._gone.is_set() and self._transport.can_write_eof():
            self._transport.write_eof()

    async def closed(self) -> None:
        """Return when the client is fully gone."""
        if self._watch is None and not self._gone.is_set():
            self._watch = HangupWatch(self._transport, self._transport.abort)
        await self._gone.wait()

    def close(self) -> None:
        """Close, once what was written is sent; a client that does not take it is cut off."""
        if self._gone.is_set():
            return
        self._transport.close()
        if self._transport.get_write_buffer_size():
            self._loop.call_later(LINGER_S, self._transport.abort)

    def _check(self) -> None:
        if self._gone.is_set() or self._transport.is_closing():
            raise ConnectionResetError("the client is gone")

    def _wake_reader(self) -> None:
        if self._waiting_reader is not None and not self._waiting_reader.done():
            self._waiting_reader.set_result(None)
