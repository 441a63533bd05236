"""How long to wait before the next try."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits that double from `first_s` to `longest_s`, each taken off by up to `jitter` of itself.

    Jitter keeps many nodes from coming back at the same moment.
    """

    first_s: float
    longest_s: float
    jitter: float = 0.5

    def wait_s(self, failures: int, chance: float) -> float:
        """Return the wait after so many failures in a row; `chance` is from 0 to 1."""
        whole = min(self.first_s * 2.0 ** min(max(failures - 1, 0), 32), self.longest_s)
        return whole * (1.0 - self.jitter * chance)
