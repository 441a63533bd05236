"""What the replicated log is applied to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol


class StateMachine(Protocol):
    """A state that follows from the log alone: same entries, same state, on every manager.

    All is called on the event loop; only `load`, and the iterator that `dump` gives, are run in a
    thread, while others read and entries are applied. An exception out of `apply` or `load` stops
    the manager.
    """

    def apply(self, index: int, data: bytes) -> None:
        """Apply a committed command; indexes only rise, and each command comes once."""
        ...

    def dump(self) -> Iterator[bytes]:
        """Return the state as of now in pieces of at most about 1 MiB each."""
        ...

    def load(self, pieces: Iterable[bytes]) -> Callable[[int], None]:
        """Read a dump and leave the state alone; called in a thread.

        What is returned makes the dump the whole state, as of an index; called on the event loop.
        """
        ...
