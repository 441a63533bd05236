"""The log in memory, as the disk has it; what consensus reads."""

from __future__ import annotations

from collections.abc import Callable

from manager.core.raft.errors import SnapshotUnavailable
from manager.core.raft.memory_log import MemoryLog
from manager.core.raft.messages import HardState, Snapshot
from manager.ports.log import Stored


class Mirror(MemoryLog):
    """A log whose snapshot is not handed out while it would not do for every member.

    A member that joined after the snapshot was taken could not start from it: it would not find
    itself in it. `wants_newer` is called then, and consensus tries again a little later.
    """

    __slots__ = ("_is_outdated", "_wants_newer")

    def __init__(self, stored: Stored) -> None:
        super().__init__(
            hard_state=stored.hard_state,
            snapshot=Snapshot(meta=stored.snapshot.meta, data=stored.snapshot.about),
            entries=stored.entries,
            start=stored.start,
        )
        self._is_outdated: Callable[[Snapshot], bool] = lambda _: False
        self._wants_newer: Callable[[], None] = lambda: None

    def watch(
        self, is_outdated: Callable[[Snapshot], bool], wants_newer: Callable[[], None]
    ) -> None:
        """Judge snapshots from now on."""
        self._is_outdated = is_outdated
        self._wants_newer = wants_newer

    def snapshot(self) -> Snapshot:
        """Return the newest snapshot. Errors: SnapshotUnavailable."""
        found = super().snapshot()
        if self._is_outdated(found):
            self._wants_newer()
            raise SnapshotUnavailable
        return found

    def hard_state(self) -> HardState:
        """Return the hard state on disk."""
        return self.initial_state()[0]

    def size_between(self, after: int, to: int) -> int:
        """Return how many bytes the commands after one index, up to another, have together."""
        found = self.entries(after + 1, to + 1, 1 << 62) if to > after else []
        return sum(len(entry.data) for entry in found)
