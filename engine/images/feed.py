"""The lines of a long operation on their way to a client that may read slowly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from api.errors import SkepError
from api.progress import aux_line, error_line, progress_line, status_line, step_line
from engine.ports.clock import Clock

_INTERVAL_NS = 100_000_000


class ProgressFeed:
    """Gathers lines; a bar that moves again before it was sent is sent once, at its last place.

    So what waits is bounded by the number of layers, however slowly the client reads.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lines: list[bytes] = []
        self._bars: dict[str, int] = {}
        self._moved_ns: dict[str, int] = {}
        self._news = asyncio.Event()
        self._is_over = False

    def say(self, status: str, item: str = "") -> None:
        """Send plain words."""
        self._put(status_line(status, item))

    def step(self, status: str, item: str) -> None:
        """Send what step a layer is at."""
        self._bars.pop(item, None)
        self._moved_ns.pop(item, None)
        self._put(step_line(status, item))

    def move(self, status: str, item: str, current: int, total: int) -> None:
        """Send how far a layer is, at most ten times a second and at the end."""
        now_ns = self._clock.now_ns()
        last_ns = self._moved_ns.get(item)
        if last_ns is not None and 0 <= now_ns - last_ns < _INTERVAL_NS and current < total:
            return
        self._moved_ns[item] = now_ns
        line = progress_line(status, item, current, total)
        if (place := self._bars.get(item)) is not None:
            self._lines[place] = line
            return
        self._bars[item] = len(self._lines)
        self._put(line)

    def tell(self, value: object) -> None:
        """Send a value for programs."""
        self._put(aux_line(value))

    def end(self) -> None:
        """Say that no more lines come."""
        self._is_over = True
        self._news.set()

    async def batches(self) -> AsyncIterator[bytes]:
        """Yield what has gathered, as soon as there is anything, until the end."""
        while not (self._is_over and not self._lines):
            await self._news.wait()
            self._news.clear()
            if self._lines:
                lines, self._lines = self._lines, []
                self._bars.clear()
                yield b"".join(lines)
            if self._is_over:
                self._news.set()

    def _put(self, line: bytes) -> None:
        self._lines.append(line)
        self._news.set()


@dataclass(frozen=True, slots=True)
class Bar:
    """Draws one layer's way as `verb` (Downloading, Pushing); a listener of its transfer.

    `last` is the step told when all of `total` bytes went through, "" for none.
    """

    feed: ProgressFeed
    item: str
    total: int
    verb: str
    last: str = ""

    def queued(self) -> None:
        """Tell that the transfer waits for others."""
        self.feed.step("Waiting", self.item)

    def moved(self, current: int) -> None:
        """Move the bar."""
        self.feed.move(self.verb, self.item, current, self.total)
        if self.last and current == self.total:
            self.feed.step(self.last, self.item)


async def told(
    clock: Clock, work: Callable[[ProgressFeed], Awaitable[None]]
) -> AsyncIterator[bytes]:
    """Yield what work says while it runs; an error is the last line. Who leaves stops the work."""
    feed = ProgressFeed(clock)
    task = asyncio.ensure_future(work(feed))
    task.add_done_callback(lambda _: feed.end())
    try:
        async for lines in feed.batches():
            yield lines
        await task
    except SkepError as error:
        yield error_line(error.message)
    finally:
        task.cancel()
        await asyncio.wait([task])
