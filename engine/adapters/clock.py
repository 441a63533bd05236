"""The machine's own clock."""

from __future__ import annotations

import asyncio
import time


class SystemClock:
    """Fulfils `Clock` with wall time and the running loop's timer."""

    def now_ns(self) -> int:
        """Return nanoseconds since the epoch."""
        return time.time_ns()

    async def sleep(self, seconds: float) -> None:
        """Return after so many seconds; at once when that is not positive."""
        await asyncio.sleep(max(seconds, 0))
