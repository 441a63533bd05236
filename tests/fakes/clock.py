"""A clock that goes only when told."""

from __future__ import annotations

import asyncio


class FakeClock:
    """Fulfils `Clock`; `advance` lets time pass and wakes who slept until then."""

    def __init__(self, now_ns: int = 1_700_000_000_000_000_000) -> None:
        self._now_ns = now_ns
        self._sleepers: list[tuple[int, asyncio.Future[None]]] = []

    def now_ns(self) -> int:
        """Return nanoseconds since the epoch."""
        return self._now_ns

    def now_s(self) -> float:
        """Return seconds of the same clock."""
        return self._now_ns / 1e9

    async def sleep(self, seconds: float) -> None:
        """Return once `advance` has passed the moment."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._now_ns + int(seconds * 1e9), done))
        await done

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now_ns += int(seconds * 1e9)
        for moment, done in self._sleepers:
            if moment <= self._now_ns and not done.done():
                done.set_result(None)
        self._sleepers = [each for each in self._sleepers if not each[1].done()]
