"""How fast unlock keys may be tried: a few typing errors are free, then the wait doubles."""

from __future__ import annotations

from dataclasses import dataclass

from api.errors import Unavailable

_FREE_TRIES = 3
_FIRST_WAIT_S = 1.0
_LONGEST_WAIT_S = 60.0


class TooManyTries(Unavailable):
    """Wrong unlock keys came too fast; this one was not even tried."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"too many wrong unlock keys: try again in {max(1, round(wait_s))} s")


@dataclass(frozen=True, slots=True)
class UnlockRate:
    """Failures in a row, and when the next try is looked at (seconds of a steady clock)."""

    failures: int = 0
    next_try_s: float = 0.0

    def check(self, now_s: float) -> None:
        """Raise TooManyTries when a try comes too early."""
        if now_s < self.next_try_s:
            raise TooManyTries(self.next_try_s - now_s)

    def after_failure(self, now_s: float) -> UnlockRate:
        """Return the state after one more wrong key."""
        failures = self.failures + 1
        excess = failures - _FREE_TRIES
        if excess < 0:
            return UnlockRate(failures)
        return UnlockRate(
            failures, now_s + min(_FIRST_WAIT_S * 2 ** min(excess, 10), _LONGEST_WAIT_S)
        )


FIRST_TRY = UnlockRate()
