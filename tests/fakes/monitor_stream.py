"""The stdio of a process, in memory."""

from __future__ import annotations

import asyncio


class FakeMonitorStream:
    """Fulfils `MonitorStream`; `output` and `end` are the process, `typed` is its stdin."""

    def __init__(self) -> None:
        self.typed = bytearray()
        self.stdin_closed = False
        self.closing = asyncio.Event()
        self._pieces: asyncio.Queue[tuple[int, bytes] | None] = asyncio.Queue()
        self._changed = asyncio.Event()

    def output(self, stream: int, data: bytes) -> None:
        """Write as the process."""
        self._pieces.put_nowait((stream, data))

    def end(self) -> None:
        """Exit."""
        self._pieces.put_nowait(None)

    async def until_typed(self, data: bytes) -> None:
        """Return once stdin holds `data`."""
        async with asyncio.timeout(5):
            while data not in self.typed:
                self._changed.clear()
                await self._changed.wait()

    async def until_stdin_closed(self) -> None:
        """Return once stdin ended."""
        async with asyncio.timeout(5):
            while not self.stdin_closed:
                self._changed.clear()
                await self._changed.wait()

    async def read(self) -> tuple[int, bytes] | None:
        """Give the next piece of output."""
        return await self._pieces.get()

    async def write(self, data: bytes) -> None:
        """Take input."""
        self.typed += data
        self._changed.set()

    def write_eof(self) -> None:
        """End stdin."""
        self.stdin_closed = True
        self._changed.set()

    def close(self) -> None:
        """Leave."""
        self.closing.set()

    @property
    def is_closed(self) -> bool:
        """Whether it was left."""
        return self.closing.is_set()
