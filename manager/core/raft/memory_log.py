"""The stored log in memory: what `Storage` promises, and what a driver mirrors its disk in."""

from __future__ import annotations

from collections.abc import Sequence

from manager.core.raft.errors import EntriesCompacted, EntriesUnavailable, LogCorrupt
from manager.core.raft.limits import limit_size
from manager.core.raft.messages import (
    NO_HARD_STATE,
    NO_SNAPSHOT,
    ConfState,
    Entry,
    EntryId,
    HardState,
    Snapshot,
    SnapshotMeta,
)


class MemoryLog:
    """Entries after a starting point, a hard state and a snapshot.

    The starting point is the entry that the log was compacted to: its index and term stay known.
    """

    __slots__ = ("_entries", "_hard_state", "_snapshot", "_start_index", "_start_term")

    def __init__(
        self,
        hard_state: HardState = NO_HARD_STATE,
        snapshot: Snapshot = NO_SNAPSHOT,
        entries: Sequence[Entry] = (),
        start: EntryId | None = None,
    ) -> None:
        """Begin with what was read from disk.

        start:   the entry before the first one; the snapshot's last unless entries that the
                 snapshot covers were kept for slow followers.
        Errors:  LogCorrupt when entries are missing.
        """
        self._hard_state = hard_state
        self._snapshot = snapshot
        self._entries = list(entries)
        self._start_index = snapshot.meta.index if start is None else start.index
        self._start_term = snapshot.meta.term if start is None else start.term
        for expected, entry in enumerate(self._entries, self._start_index + 1):
            if entry.index != expected:
                raise LogCorrupt(f"entry {expected} is missing, found {entry.index}")

    def initial_state(self) -> tuple[HardState, ConfState]:
        """Return the hard state and the membership as of the snapshot."""
        return self._hard_state, self._snapshot.meta.conf

    def entries(self, lo: int, hi: int, max_bytes: int) -> list[Entry]:
        """Return entries lo to hi-1 within max_bytes, at least one."""
        if lo <= self._start_index:
            raise EntriesCompacted(lo)
        if hi > self.last_index() + 1:
            raise EntriesUnavailable(hi - 1)
        base = self._start_index + 1
        return limit_size(self._entries[lo - base : hi - base], max_bytes)

    def term(self, index: int) -> int:
        """Return the term of an entry or of the starting point."""
        offset = index - self._start_index - 1
        if offset < 0:
            if offset == -1:
                return self._start_term
            raise EntriesCompacted(index)
        if offset >= len(self._entries):
            raise EntriesUnavailable(index)
        return self._entries[offset].term

    def first_index(self) -> int:
        """Return the index after the starting point."""
        return self._start_index + 1

    def last_index(self) -> int:
        """Return the index of the last entry."""
        return self._start_index + len(self._entries)

    def snapshot(self) -> Snapshot:
        """Return the newest snapshot."""
        return self._snapshot

    def set_hard_state(self, hard_state: HardState) -> None:
        """Take over the hard state."""
        self._hard_state = hard_state

    def append(self, entries: Sequence[Entry]) -> None:
        """Add entries; those from the first one's index on are replaced.

        Entries that were compacted already are skipped. A gap is a broken invariant.
        """
        if not entries:
            return
        keep = entries[0].index - self._start_index - 1
        if keep < 0:
            entries = entries[-keep:]
            keep = 0
            if not entries:
                return
        assert keep <= len(self._entries), "entries would leave a gap in the log"
        del self._entries[keep:]
        self._entries.extend(entries)

    def apply_snapshot(self, snapshot: Snapshot) -> None:
        """Replace everything by a snapshot that was received; an older one changes nothing."""
        if snapshot.meta.index <= self._snapshot.meta.index:
            return
        self._snapshot = snapshot
        self._start_index = snapshot.meta.index
        self._start_term = snapshot.meta.term
        self._entries = []

    def create_snapshot(self, index: int, conf: ConfState, data: bytes) -> Snapshot:
        """Keep and return a snapshot of the applied state as of `index`; entries stay."""
        assert index > self._snapshot.meta.index, "snapshots only get newer"
        meta = SnapshotMeta(index=index, term=self.term(index), conf=conf)
        self._snapshot = Snapshot(meta=meta, data=data)
        return self._snapshot

    def compact(self, index: int) -> None:
        """Forget entries up to `index`, which must be applied and in a snapshot by then."""
        if index <= self._start_index:
            raise EntriesCompacted(index)
        term = self.term(index)
        del self._entries[: index - self._start_index]
        self._start_index = index
        self._start_term = term
