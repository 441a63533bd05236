"""The machine's steady clock."""

from __future__ import annotations

import asyncio
import time


class SteadyClock:
    """Fulfils `Clock` with time that goes on whatever the time of day is set to."""

    def now_s(self) -> float:
        """Return seconds since some moment before this process began."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Return after so many seconds."""
        await asyncio.sleep(max(seconds, 0))
