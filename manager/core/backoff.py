"""How long to wait before another attempt."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits that double from `first_s` to at most `limit_s`."""

    first_s: float
    limit_s: float

    def delay_s(self, failures: int, chance: float) -> float:
        """Return the wait after so many failures in a row, one or more.

        chance:  in [0, 1); takes off up to half, so that many do not come back at once.
        """
        assert failures > 0
        full = min(self.first_s * float(1 << min(failures - 1, 30)), self.limit_s)
        return full * (1 - chance / 2)
