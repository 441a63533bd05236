"""Streams that nobody answers, told from those whose answer is under way."""

from __future__ import annotations

# An answer to how a stream begins is under way for less than this.
_UNANSWERED_S = 0.8
# Data is sent again after ever longer times: silence for so many whole seconds follows the fourth
# time at the earliest.
_SILENT_S = 3
_SUSPECTED_S = 60.0


class Suspects:
    """Streams of one namespace that may be stuck, by their key, and since when."""

    def __init__(self) -> None:
        self._since_s: dict[bytes, float] = {}

    def __bool__(self) -> bool:
        """Tell whether there is one that is worth another look."""
        return bool(self._since_s)

    def is_stuck(
        self, key: bytes, *, is_answered: bool, unheard_s: int | None, now_s: float
    ) -> bool:
        """Tell whether nobody answers a stream; one of which that is not known yet is suspected.

        `unheard_s` is how long nothing came after the last packet of a stream whose data was not
        acknowledged, None where all was.
        """
        if is_answered and unheard_s is None:
            self.acquit(key)
            return False
        since_s = self._since_s.setdefault(key, now_s)
        if unheard_s is not None:
            return unheard_s >= _SILENT_S
        return now_s - since_s > _UNANSWERED_S

    def acquit(self, key: bytes) -> None:
        """Suspect a stream no longer; fine if it was not."""
        self._since_s.pop(key, None)

    def forget_old(self, now_s: float) -> None:
        """Suspect no longer what has been suspected for long: it ended unseen."""
        self._since_s = {
            key: since_s for key, since_s in self._since_s.items() if now_s - since_s < _SUSPECTED_S
        }
