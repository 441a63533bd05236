"""What is due when: each subject once, at the earliest moment that somebody wanted, and rested."""

from __future__ import annotations

from manager.loops.feed import NEVER

# A subject that took long to look at rests for so many times as long: changes gather meanwhile.
_REST = 4.0
# What is shorter than this is no load, and is not rested for.
_SHORT_S = 0.001


class Agenda:
    """Subjects with the moments when they are due. Units: seconds of the loop's clock."""

    def __init__(self) -> None:
        self._due: dict[str, float] = {}
        self._rests: dict[str, float] = {}

    def add(self, subject: str, at_s: float = 0.0) -> None:
        """Have a subject looked at, at this moment or at one set before, whichever is first."""
        known = self._due.get(subject)
        if known is None or at_s < known:
            self._due[subject] = at_s

    def take(self, now_s: float) -> list[str]:
        """Return the subjects that are due, and forget them."""
        due = [
            subject
            for subject, at_s in self._due.items()
            if at_s <= now_s and self._rests.get(subject, 0.0) <= now_s
        ]
        for subject in due:
            del self._due[subject]
            self._rests.pop(subject, None)
        return due

    def rest(self, subject: str, began_s: float, now_s: float) -> None:
        """Let a subject rest that has just been looked at for so long."""
        if now_s - began_s >= _SHORT_S:
            self._rests[subject] = now_s + (now_s - began_s) * _REST

    def pause_s(self, now_s: float) -> float:
        """Return how long nothing is due."""
        first = min(
            (max(at_s, self._rests.get(subject, 0.0)) for subject, at_s in self._due.items()),
            default=NEVER,
        )
        return max(first - now_s, 0.0)
