"""The stored log in memory."""

from __future__ import annotations

import pytest

from manager.core.raft.errors import EntriesCompacted, EntriesUnavailable, LogCorrupt
from manager.core.raft.memory_log import MemoryLog
from manager.core.raft.messages import (
    ENTRY_OVERHEAD_BYTES,
    ConfState,
    Entry,
    EntryId,
    HardState,
    Snapshot,
    SnapshotMeta,
)


def _log() -> MemoryLog:
    """Entries 4 to 6 after a snapshot that ends at 3."""
    log = MemoryLog(snapshot=Snapshot(meta=SnapshotMeta(index=3, term=1)))
    log.append([Entry(term=2, index=index, data=b"x" * 10) for index in (4, 5, 6)])
    return log


def test_bounds_and_terms() -> None:
    """The term of the entry before the first is known, for the check of an append after it."""
    log = _log()

    assert (4, 6) == (log.first_index(), log.last_index())
    assert (1, 2) == (log.term(3), log.term(6))
    with pytest.raises(EntriesCompacted):
        log.term(2)
    with pytest.raises(EntriesUnavailable):
        log.term(7)


@pytest.mark.parametrize(("budget", "count"), [(0, 1), (34, 1), (68, 2), (101, 2), (102, 3)])
def test_reading_stops_at_the_size_limit_but_gives_one(budget: int, count: int) -> None:
    """A single entry larger than the limit must get through somehow."""
    assert 34 == ENTRY_OVERHEAD_BYTES + 10

    assert count == len(_log().entries(4, 7, budget))


def test_reading_outside_is_refused() -> None:
    """Compacted and not yet there are different answers."""
    with pytest.raises(EntriesCompacted):
        _log().entries(3, 5, 1000)
    with pytest.raises(EntriesUnavailable):
        _log().entries(4, 8, 1000)


def test_appending_replaces_what_follows() -> None:
    """A leader's entries take the place of a former leader's."""
    log = _log()

    log.append([Entry(term=3, index=5)])

    assert (5, 3) == (log.last_index(), log.term(5))


def test_appending_skips_what_was_compacted() -> None:
    """A write may be under way while the log is compacted."""
    log = _log()
    log.compact(5)

    log.append([Entry(term=9, index=4), Entry(term=9, index=5)])
    log.append([Entry(term=2, index=5), Entry(term=4, index=6)])

    assert (2, 4) == (log.term(5), log.term(6))


def test_appending_past_the_end_is_a_broken_invariant() -> None:
    """A log has no gaps."""
    with pytest.raises(AssertionError, match="gap"):
        _log().append([Entry(term=2, index=8)])


def test_compacting_keeps_the_last_term() -> None:
    """A slow follower may ask for the entry right after."""
    log = _log()

    log.compact(5)

    assert (6, 6, 2) == (log.first_index(), log.last_index(), log.term(5))
    with pytest.raises(EntriesCompacted):
        log.compact(5)
    with pytest.raises(EntriesUnavailable):
        log.compact(7)


def test_own_snapshot_keeps_entries_and_a_received_one_replaces_them() -> None:
    """Followers that lag a little are served from entries, not from the snapshot."""
    log = _log()
    conf = ConfState(voters=(1,))

    own = log.create_snapshot(5, conf, b"state")
    first_after_own = log.first_index()
    log.apply_snapshot(Snapshot(meta=SnapshotMeta(index=9, term=4)))

    assert SnapshotMeta(index=5, term=2, conf=conf) == own.meta
    assert 4 == first_after_own
    assert (10, 9, 4) == (log.first_index(), log.last_index(), log.term(9))


def test_older_snapshot_changes_nothing() -> None:
    """Snapshots that were on the way when a newer one came are of no use."""
    log = _log()

    log.apply_snapshot(Snapshot(meta=SnapshotMeta(index=2, term=1)))

    assert (3, 6) == (log.snapshot().meta.index, log.last_index())


def test_log_is_made_of_what_was_on_disk() -> None:
    """Entries may reach back behind the snapshot if what comes before them is known."""
    entries = [Entry(term=1, index=3), Entry(term=2, index=4)]
    snapshot = Snapshot(meta=SnapshotMeta(index=3, term=1))

    log = MemoryLog(HardState(term=2), snapshot, entries, start=EntryId(1, 2))

    assert (3, 4, 1) == (log.first_index(), log.last_index(), log.term(2))
    assert HardState(term=2) == log.initial_state()[0]


def test_missing_entries_are_refused() -> None:
    """A gap on disk is never closed by guessing."""
    with pytest.raises(LogCorrupt, match="entry 2 is missing"):
        MemoryLog(entries=[Entry(term=1, index=1), Entry(term=1, index=3)])
