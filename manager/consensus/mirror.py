"""The log in memory, as the disk has it; what consensus reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from manager.consensus.packing import data_bytes, pack, unpack_within
from manager.core.raft.errors import SnapshotUnavailable
from manager.core.raft.memory_log import MemoryLog
from manager.core.raft.messages import Entry, HardState, Snapshot
from manager.ports.log import Stored

# So many of the newest entries are kept as they are: those are what a follower that keeps up needs.
_FRESH: Final = 16
# With each write so many more are packed than it added, and not all there are: none is held up.
_PACKED_MORE: Final = 4


class Mirror(MemoryLog):
    """A log that keeps old entries packed, and its snapshot back while it will not do for all.

    A member that joined after the snapshot was taken could not start from it: it would not find
    itself in it. `wants_newer` is called then, and consensus tries again a little later.
    """

    __slots__ = ("_is_outdated", "_packed_to", "_wants_newer")

    def __init__(self, stored: Stored) -> None:
        super().__init__(
            hard_state=stored.hard_state,
            snapshot=Snapshot(meta=stored.snapshot.meta, data=stored.snapshot.about),
            entries=stored.entries,
            start=stored.start,
        )
        self._is_outdated: Callable[[Snapshot], bool] = lambda _: False
        self._wants_newer: Callable[[], None] = lambda: None
        self._packed_to = self._start_index

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

    def entries(self, lo: int, hi: int, max_bytes: int) -> list[Entry]:
        """Return entries lo to hi-1 within max_bytes, at least one."""
        return unpack_within(super().entries(lo, hi, max_bytes), max_bytes)

    def append(self, entries: Sequence[Entry]) -> None:
        """Add entries; those from the first one's index on are replaced."""
        super().append(entries)
        if entries:
            self._packed_to = min(self._packed_to, entries[0].index - 1)
            self._pack(len(entries) + _PACKED_MORE)

    def hard_state(self) -> HardState:
        """Return the hard state on disk."""
        return self.initial_state()[0]

    def size_between(self, after: int, to: int) -> int:
        """Return how many bytes the commands after one index, up to another, have together."""
        base = self._start_index
        return sum(data_bytes(entry) for entry in self._entries[after - base : to - base])

    def _pack(self, most: int) -> None:
        """Pack the oldest entries that were not looked at yet, unless they are fresh."""
        base = self._start_index
        begin = max(self._packed_to, base)
        end = min(begin + most, self.last_index() - _FRESH)
        for at in range(begin - base, end - base):
            self._entries[at] = pack(self._entries[at])
        self._packed_to = max(begin, end)
