"""Time, as a port, so that verbs can be tested without waiting."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Wall time and sleeping."""

    def now_ns(self) -> int:
        """Return nanoseconds since the epoch."""

    async def sleep(self, seconds: float) -> None:
        """Return after so many seconds."""
