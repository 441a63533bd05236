"""Work that tells its progress, as a stream of lines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

Say = Callable[[bytes], None]


async def narrate(work: Callable[[Say], Awaitable[None]]) -> AsyncIterator[bytes]:
    """Yield what `work` says while it runs; raise what it raises.

    Who stops listening stops the work. What is said faster than it is read is joined.
    """
    lines: list[bytes] = []
    news = asyncio.Event()

    def say(line: bytes) -> None:
        lines.append(line)
        news.set()

    task = asyncio.ensure_future(work(say))
    task.add_done_callback(lambda _: news.set())
    try:
        while not task.done() or lines:
            await news.wait()
            news.clear()
            if lines:
                joined = b"".join(lines)
                lines.clear()
                yield joined
            if task.done():
                news.set()
        await task
    finally:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()
