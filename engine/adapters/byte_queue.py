"""Bytes from the event loop to a thread that reads them as a file, with backpressure."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

from api.errors import Internal

Result = TypeVar("Result")

_LIMIT_BYTES = 8 << 20


class ByteQueue:
    """One writer on the event loop, one reader in a thread; at most 8 MiB are between them."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._changed = threading.Condition()
        self._chunks: deque[bytes] = deque()
        self._pending = 0
        self._ended = False
        self._cut = False
        self._left = False
        self._room = asyncio.Event()

    async def feed(self, chunks: AsyncIterator[bytes]) -> None:
        """Hand all chunks over; return when the last is queued, or when the reader left."""
        complete = False
        try:
            async for chunk in chunks:
                if chunk and not await self._put(chunk):
                    break
            complete = True
        finally:
            with self._changed:
                self._ended = True
                self._cut = not complete
                self._changed.notify()

    async def _put(self, chunk: bytes) -> bool:
        with self._changed:
            self._chunks.append(chunk)
            self._pending += len(chunk)
            full = self._pending > _LIMIT_BYTES
            if full:
                self._room.clear()
            self._changed.notify()
        if full and not self._left:
            await self._room.wait()
        return not self._left

    def read(self, count: int) -> bytes:
        """Return at least one byte and about `count` at most; b"" at the end. For the thread.

        Errors:  Internal when the writer was cut off.
        """
        with self._changed:
            while not self._chunks and not self._ended:
                self._changed.wait()
            if self._cut:
                raise Internal("the upload was cut off")
            taken: list[bytes] = []
            size = 0
            while self._chunks and (not taken or size + len(self._chunks[0]) <= count):
                taken.append(self._chunks.popleft())
                size += len(taken[-1])
            was_full = self._pending > _LIMIT_BYTES
            self._pending -= size
        if was_full and self._pending <= _LIMIT_BYTES:
            self._loop.call_soon_threadsafe(self._room.set)
        return taken[0] if len(taken) == 1 else b"".join(taken)

    def leave(self) -> None:
        """Read no more; what is still fed is dropped. For the thread."""
        with self._changed:
            self._left = True
            self._chunks.clear()
        self._loop.call_soon_threadsafe(self._room.set)


async def read_in_thread(
    chunks: AsyncIterator[bytes], work: Callable[[Callable[[int], bytes]], Result]
) -> Result:
    """Run `work(read)` in a thread while the chunks arrive; return what it returns.

    When either side fails or the caller is cancelled, the thread has ended before this returns.
    """
    queue = ByteQueue()

    def run() -> Result:
        try:
            return work(queue.read)
        finally:
            queue.leave()

    reader = asyncio.ensure_future(asyncio.to_thread(run))
    try:
        await queue.feed(chunks)
        return await asyncio.shield(reader)
    except BaseException:
        await asyncio.shield(asyncio.wait([reader]))
        if not reader.cancelled():
            reader.exception()
        raise
