"""The log as consensus sees it: what storage has, then what it is still being given.

first ... applied ... applying ... committed ... last
every index left of `applied` was applied, left of `applying` was handed out to be
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

from manager.core.raft.errors import EntriesCompacted, EntriesUnavailable
from manager.core.raft.limits import limit_size
from manager.core.raft.messages import Entry, EntryId, Snapshot, entries_size
from manager.core.raft.storage import Storage
from manager.core.raft.unstable import Unstable


class RaftLog:
    """All entries, and how far they are committed and applied."""

    __slots__ = (
        "_applying_bytes",
        "_is_applying_paused",
        "_max_apply_bytes",
        "_storage",
        "applied",
        "applying",
        "committed",
        "unstable",
    )

    def __init__(
        self, storage: Storage, *, committed: int, applied: int, max_apply_bytes: int
    ) -> None:
        self._storage = storage
        self.unstable = Unstable(storage.last_index() + 1)
        self.committed = committed
        self.applying = applied
        self.applied = applied
        self._max_apply_bytes = max_apply_bytes
        self._applying_bytes = 0
        self._is_applying_paused = False

    # Reading.

    def first_index(self) -> int:
        """Return the first index that can be read."""
        snapshot = self.unstable.snapshot
        return snapshot.meta.index + 1 if snapshot else self._storage.first_index()

    def last_index(self) -> int:
        """Return the last index."""
        last = self.unstable.last_index()
        return self._storage.last_index() if last is None else last

    def last_id(self) -> EntryId:
        """Return the last entry's id."""
        last = self.last_index()
        return EntryId(term=self.term(last), index=last)

    def term(self, index: int) -> int:
        """Return the term at an index. Errors: EntriesCompacted, EntriesUnavailable."""
        term = self.unstable.term(index)
        if term is not None:
            return term
        if index + 1 < self.first_index():
            raise EntriesCompacted(index)
        if index > self.last_index():
            raise EntriesUnavailable(index)
        return self._storage.term(index)

    def matches(self, term: int, index: int) -> bool:
        """Tell whether the entry at `index` is known and of this term."""
        try:
            return self.term(index) == term
        except LookupError:
            return False

    def entries(self, lo: int, max_bytes: int) -> list[Entry]:
        """Return entries from `lo` on within max_bytes, at least one unless there is none."""
        last = self.last_index()
        return [] if lo > last else self.slice(lo, last + 1, max_bytes)

    def slice(self, lo: int, hi: int, max_bytes: int) -> list[Entry]:
        """Return entries lo to hi-1 within max_bytes, at least one. Errors: EntriesCompacted."""
        assert lo <= hi <= self.last_index() + 1, "read past the end of the log"
        if lo < self.first_index():
            raise EntriesCompacted(lo)
        offset = self.unstable.offset
        if lo >= offset:
            return limit_size(self.unstable.entries[lo - offset : hi - offset], max_bytes)
        cut = min(hi, offset)
        entries = self._storage.entries(lo, cut, max_bytes)
        if hi <= offset or len(entries) < cut - lo:
            return entries
        return limit_size(entries + self.unstable.entries[: hi - offset], max_bytes)

    def scan(self, lo: int, hi: int, page_bytes: int) -> Iterator[Entry]:
        """Yield entries lo to hi-1, reading a page at a time."""
        while lo < hi:
            page = self.slice(lo, hi, page_bytes)
            yield from page
            lo += len(page)

    def find_conflict_by_term(self, index: int, term: int) -> EntryId:
        """Return the last entry at or before `index` whose term is at most `term`.

        Beyond what is known, the term is 0: there may or may not be agreement.
        """
        lo = self.first_index() - 1
        if index < lo or index > self.last_index():
            return EntryId(term=0, index=index)
        # Terms never fall along the log, so there is no need to look at every entry.
        at = lo + bisect_right(range(lo, index + 1), term, key=self._term_or_zero) - 1
        if at >= lo:
            return EntryId(term=self._term_or_zero(at), index=at)
        return EntryId(term=0, index=max(lo - 1, 0))

    def is_up_to_date(self, term: int, index: int) -> bool:
        """Tell whether a log that ends there has at least what this one has (raft §5.4.1)."""
        last = self.last_id()
        return (term, index) >= (last.term, last.index)

    def snapshot(self) -> Snapshot:
        """Return the newest snapshot. Errors: SnapshotUnavailable."""
        return self.unstable.snapshot or self._storage.snapshot()

    # Growing.

    def append(self, entries: list[Entry]) -> int:
        """Add entries in place of what follows; return the last index."""
        assert entries[0].index > self.committed, "a committed entry would be replaced"
        self.unstable.append(entries)
        return entries[-1].index

    def maybe_append(
        self, prev_term: int, prev_index: int, entries: tuple[Entry, ...], commit: int
    ) -> int | None:
        """Add a leader's entries after (prev_term, prev_index) and commit what they confirm.

        Entries that are here already stay, and so does what follows them, unless one conflicts.
        Returns the index up to which the log now agrees, None if it does not agree before.
        """
        if not self.matches(prev_term, prev_index):
            return None
        for at, entry in enumerate(entries):
            if not self.matches(entry.term, entry.index):
                self.append(list(entries[at:]))
                break
        last_new = prev_index + len(entries)
        self.commit_to(min(commit, last_new))
        return last_new

    def restore(self, snapshot: Snapshot) -> None:
        """Begin again after a snapshot."""
        self.committed = snapshot.meta.index
        self.unstable.restore(snapshot)

    # Committing and applying.

    def commit_to(self, index: int) -> None:
        """Move the commit index forward, never back."""
        if index > self.committed:
            assert index <= self.last_index(), (
                f"entry {index} is committed but not in the log: the log was damaged or lost"
            )
            self.committed = index

    def next_committed(self, *, is_unstable_allowed: bool) -> list[Entry]:
        """Return committed entries to apply, within the limit of what may be out.

        is_unstable_allowed: also those that storage does not have yet.
        """
        if not self.has_next_committed(is_unstable_allowed=is_unstable_allowed):
            return []
        hi = self._max_appliable(is_unstable_allowed=is_unstable_allowed) + 1
        return self.slice(self.applying + 1, hi, self._max_apply_bytes - self._applying_bytes)

    def has_next_committed(self, *, is_unstable_allowed: bool) -> bool:
        """Tell whether `next_committed` returns any."""
        if self._is_applying_paused or self.unstable.snapshot is not None:
            # Entries after a snapshot wait until it is restored.
            return False
        return self.applying < self._max_appliable(is_unstable_allowed=is_unstable_allowed)

    def accept_committed(self, entries: tuple[Entry, ...], *, is_unstable_allowed: bool) -> None:
        """Count entries as handed out, and hand out no more while the limit is reached."""
        self.applying = entries[-1].index
        self._applying_bytes += entries_size(entries)
        self._is_applying_paused = (
            self._applying_bytes >= self._max_apply_bytes
            or self.applying < self._max_appliable(is_unstable_allowed=is_unstable_allowed)
        )

    def applied_to(self, index: int, size_bytes: int) -> None:
        """Count entries up to `index`, size_bytes together, as applied."""
        assert self.applied <= index <= self.committed, "applied what is not committed"
        self.applied = index
        self.applying = max(self.applying, index)
        self._applying_bytes = max(0, self._applying_bytes - size_bytes)
        self._is_applying_paused = self._applying_bytes >= self._max_apply_bytes

    def _max_appliable(self, *, is_unstable_allowed: bool) -> int:
        if is_unstable_allowed:
            return self.committed
        return min(self.committed, self.unstable.offset - 1)

    def _term_or_zero(self, index: int) -> int:
        """Return a term; 0 for an entry whose term is not known any more (only the very first)."""
        try:
            return self.term(index)
        except LookupError:
            return 0
