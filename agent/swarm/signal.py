"""News for whoever waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Signal:
    """Wakes all who wait, each time that it is given."""

    def __init__(self) -> None:
        self._next = asyncio.Event()

    def give(self) -> None:
        """Wake all."""
        self._next.set()
        self._next = asyncio.Event()

    async def next(self) -> None:
        """Return when it is given from now on."""
        await self._next.wait()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return when the condition holds; it is looked at now and at each signal."""
        while not condition():
            await self.next()
