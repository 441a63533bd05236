"""A bounded pipe of bytes between those who write and one who reads."""

from __future__ import annotations

import asyncio
from collections import deque


class Stalled(Exception):
    """The reader has not made room for too long."""


class Pipe:
    """Holds `limit_bytes` or little more; whoever writes to a full one waits, and not for ever."""

    def __init__(self, limit_bytes: int, patience_s: float) -> None:
        self._limit_bytes = limit_bytes
        self._patience_s = patience_s
        self._pieces: deque[bytes] = deque()
        self._held_bytes = 0
        self._is_ended = False
        self._changed = asyncio.Event()

    async def write(self, piece: bytes) -> None:
        """Add a piece, waiting for room. Errors: Stalled."""
        try:
            async with asyncio.timeout(self._patience_s):
                while self._held_bytes >= self._limit_bytes and not self._is_ended:
                    await self._changed.wait()
        except TimeoutError as error:
            raise Stalled from error
        self._pieces.append(piece)
        self._held_bytes += len(piece)
        self._tell()

    def end(self) -> None:
        """Let the reader come to an end after what is held."""
        self._is_ended = True
        self._tell()

    async def read(self) -> bytes | None:
        """Return all that is held, once there is something; None at the end."""
        while not self._pieces:
            if self._is_ended:
                return None
            await self._changed.wait()
        data = b"".join(self._pieces)
        self._pieces.clear()
        self._held_bytes = 0
        self._tell()
        return data

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
