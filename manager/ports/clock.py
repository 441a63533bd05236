"""Time, as the manager's sequences see it."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """A steady clock: it never goes back, whatever is done to the time of day."""

    def now_s(self) -> float:
        """Return seconds since some moment."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after so many seconds."""
        ...
