"""The end of the log that storage does not have for certain yet."""

from __future__ import annotations

from manager.core.raft.messages import Entry, EntryId, Snapshot


class Unstable:
    """Entries from `offset` on, and a received snapshot, until storage confirms them.

    Work moves from *next* (not handed out) to *in progress* (being written) to *stable*.
    """

    __slots__ = ("_in_progress", "_is_snapshot_in_progress", "entries", "offset", "snapshot")

    def __init__(self, offset: int) -> None:
        self.snapshot: Snapshot | None = None
        self.entries: list[Entry] = []
        self.offset = offset
        self._in_progress = offset
        self._is_snapshot_in_progress = False

    def last_index(self) -> int | None:
        """Return the last index, None if there is nothing here."""
        if self.entries:
            return self.offset + len(self.entries) - 1
        return self.snapshot.meta.index if self.snapshot else None

    def term(self, index: int) -> int | None:
        """Return the term at an index, None if it is not here."""
        at = index - self.offset
        if at >= 0:
            return self.entries[at].term if at < len(self.entries) else None
        if self.snapshot and self.snapshot.meta.index == index:
            return self.snapshot.meta.term
        return None

    def next_entries(self) -> list[Entry]:
        """Return the entries that were not handed out for writing."""
        return self.entries[self._in_progress - self.offset :]

    def has_next_entries(self) -> bool:
        """Tell whether `next_entries` returns any."""
        return self._in_progress - self.offset < len(self.entries)

    def next_snapshot(self) -> Snapshot | None:
        """Return the snapshot if it was not handed out for writing."""
        return None if self._is_snapshot_in_progress else self.snapshot

    def accept(self) -> None:
        """Count everything as being written."""
        self._in_progress = self.offset + len(self.entries)
        self._is_snapshot_in_progress = self.snapshot is not None

    def stable_to(self, id_: EntryId) -> None:
        """Forget entries up to one that storage has; nothing if it was replaced meanwhile."""
        count = id_.index + 1 - self.offset
        if count <= 0 or self.term(id_.index) != id_.term:
            return
        del self.entries[:count]
        self.offset += count
        self._in_progress = max(self._in_progress, self.offset)

    def snapshot_stable_to(self, index: int) -> None:
        """Forget the snapshot once storage has it."""
        if self.snapshot and self.snapshot.meta.index == index:
            self.snapshot = None
            self._is_snapshot_in_progress = False

    def restore(self, snapshot: Snapshot) -> None:
        """Begin again after a snapshot."""
        self.offset = snapshot.meta.index + 1
        self._in_progress = self.offset
        self.entries = []
        self.snapshot = snapshot
        self._is_snapshot_in_progress = False

    def append(self, entries: list[Entry]) -> None:
        """Add entries; what is here from the first one's index on is replaced."""
        first = entries[0].index
        if first <= self.offset:
            self.offset = self._in_progress = first
            self.entries = list(entries)
            return
        keep = first - self.offset
        assert keep <= len(self.entries), "entries would leave a gap in the log"
        if keep < len(self.entries):
            del self.entries[keep:]
            # What is being written from here on will be written over.
            self._in_progress = min(self._in_progress, first)
        self.entries.extend(entries)
