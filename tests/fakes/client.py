"""A client of a hijacked connection, in memory: both directions, half-close, slowness, absence."""

from __future__ import annotations

import asyncio


class FakeClient:
    """Fulfils `Duplex`; the test types with `send` and `end_input`, and sees `received`."""

    def __init__(self, *, reads_output: bool = True) -> None:
        self.received = bytearray()
        self.is_closed = False
        self._input: asyncio.Queue[bytes] = asyncio.Queue()
        self._input_ended = False
        self._gone = asyncio.Event()
        self._reading = asyncio.Event()
        self._arrived = asyncio.Event()
        if reads_output:
            self._reading.set()

    def send(self, data: bytes) -> None:
        """Type."""
        self._input.put_nowait(data)

    def end_input(self) -> None:
        """Half-close."""
        self._input.put_nowait(b"")

    def vanish(self) -> None:
        """Close the connection, or lose it."""
        self._gone.set()
        self._reading.set()
        self._input.put_nowait(b"")

    def resume(self) -> None:
        """Begin to read output again."""
        self._reading.set()

    async def until_received(self, data: bytes) -> None:
        """Return once the output holds `data`."""
        async with asyncio.timeout(5):
            while data not in self.received:
                self._arrived.clear()
                await self._arrived.wait()

    async def read(self, limit: int = 65536) -> bytes:
        """Give what was typed; b"" at the end of input."""
        if self._input_ended:
            return b""
        data = await self._input.get()
        self._input_ended = not data
        return data[:limit]

    async def write(self, data: bytes) -> None:
        """Take output, once the client reads."""
        await self._reading.wait()
        if self._gone.is_set():
            raise ConnectionError
        self.received += data
        self._arrived.set()

    def write_eof(self) -> None:
        """End the output."""
        self.is_closed = True

    async def closed(self) -> None:
        """Return when the client has vanished."""
        await self._gone.wait()

    def close(self) -> None:
        """Close from this side."""
        self.is_closed = True
