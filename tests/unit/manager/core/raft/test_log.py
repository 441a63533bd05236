"""The log as consensus sees it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manager.core.raft.config import NO_LIMIT
from manager.core.raft.errors import EntriesCompacted, EntriesUnavailable
from manager.core.raft.log import RaftLog
from manager.core.raft.memory_log import MemoryLog
from manager.core.raft.messages import Entry, EntryId, Snapshot, SnapshotMeta

_SIZE = 34


def _entries(first: int, *terms: int) -> list[Entry]:
    return [Entry(term=term, index=first + at, data=b"x" * 10) for at, term in enumerate(terms)]


def _log(
    stored: tuple[int, ...] = (), unstable: tuple[int, ...] = (), max_apply: int = NO_LIMIT
) -> RaftLog:
    """Entries of these terms after a snapshot that ends at entry 2 of term 1."""
    storage = MemoryLog(snapshot=Snapshot(meta=SnapshotMeta(index=2, term=1)))
    storage.append(_entries(3, *stored))
    log = RaftLog(storage, committed=2, applied=2, max_apply_bytes=max_apply)
    if unstable:
        log.append(_entries(3 + len(stored), *unstable))
    return log


def _terms(log: RaftLog) -> list[int]:
    return [log.term(index) for index in range(3, log.last_index() + 1)]


def test_reading_spans_stored_and_unstable() -> None:
    """Nobody need know where an entry is."""
    log = _log((1, 1), (2, 2))

    assert [3, 4, 5, 6] == [entry.index for entry in log.entries(3, NO_LIMIT)]
    assert EntryId(2, 6) == log.last_id()
    assert [] == log.entries(7, NO_LIMIT)


@pytest.mark.parametrize(("budget", "count"), [(0, 1), (2, 2), (3, 3), (4, 4)])
def test_size_limit_spans_stored_and_unstable(budget: int, count: int) -> None:
    """As if they were one."""
    assert count == len(_log((1, 1), (2, 2)).entries(3, budget * _SIZE))


def test_reading_what_was_compacted_is_refused() -> None:
    """The reader must go on with a snapshot."""
    log = _log((1,))

    with pytest.raises(EntriesCompacted):
        log.entries(2, NO_LIMIT)
    with pytest.raises(EntriesCompacted):
        log.term(1)
    with pytest.raises(EntriesUnavailable):
        log.term(4)


def test_append_that_agrees_truncates_nothing() -> None:
    """An append that was overtaken by later ones must not undo them (raft §5.3)."""
    log = _log((1, 1), (2, 2))

    matched = log.maybe_append(1, 2, tuple(_entries(3, 1, 1)), commit=0)

    assert 4 == matched
    assert [1, 1, 2, 2] == _terms(log)
    assert not log.unstable.next_entries()[2:]


def test_append_replaces_from_the_first_conflict_on() -> None:
    """Entries of a former leader go, those that agree stay."""
    log = _log((1, 1), (2, 2))

    matched = log.maybe_append(1, 3, tuple(_entries(4, 1, 3)), commit=0)

    assert 5 == matched
    assert [1, 1, 3] == _terms(log)


def test_append_that_does_not_fit_changes_nothing() -> None:
    """The log before it must agree."""
    log = _log((1, 1))

    assert log.maybe_append(2, 4, tuple(_entries(5, 2)), commit=5) is None
    assert log.maybe_append(1, 9, tuple(_entries(10, 2)), commit=5) is None
    assert [1, 1] == _terms(log)
    assert 2 == log.committed


def test_commit_goes_no_further_than_the_append_confirms() -> None:
    """What follows in the log may be of a former leader (raft §5.3)."""
    log = _log((1, 1, 1, 1))

    log.maybe_append(1, 3, tuple(_entries(4, 1)), commit=6)

    assert 4 == log.committed


def test_commit_index_never_falls() -> None:
    """Older appends carry older commit indexes."""
    log = _log((1, 1, 1))
    log.commit_to(4)

    log.maybe_append(1, 5, (), commit=3)

    assert 4 == log.committed


def test_commit_of_what_is_missing_is_a_broken_invariant() -> None:
    """A member that lost acknowledged entries must stop."""
    with pytest.raises(AssertionError, match="damaged or lost"):
        _log((1,)).commit_to(4)


def test_committed_entry_is_never_replaced() -> None:
    """Whoever asks for it: the state machine has applied it."""
    log = _log((1, 1))
    log.commit_to(4)

    with pytest.raises(AssertionError, match="committed"):
        log.append(_entries(4, 2))


def test_entries_are_handed_out_once_and_within_the_limit() -> None:
    """Until some are applied, no more than the limit is out."""
    log = _log((1, 1, 1, 1), max_apply=2 * _SIZE)
    log.commit_to(6)

    first = tuple(log.next_committed(is_unstable_allowed=False))
    log.accept_committed(first, is_unstable_allowed=False)
    while_out = log.has_next_committed(is_unstable_allowed=False)
    log.applied_to(4, 2 * _SIZE)
    second = log.next_committed(is_unstable_allowed=False)

    assert [3, 4] == [entry.index for entry in first]
    assert not while_out
    assert [5, 6] == [entry.index for entry in second]


def test_no_more_is_handed_out_when_the_next_would_pass_the_limit() -> None:
    """Even if a little of the limit is left: reading it would return one entry too many."""
    log = _log((1, 1), max_apply=_SIZE + 5)
    log.commit_to(4)

    first = tuple(log.next_committed(is_unstable_allowed=False))
    log.accept_committed(first, is_unstable_allowed=False)

    assert 1 == len(first)
    assert not log.has_next_committed(is_unstable_allowed=False)


def test_unstable_entries_are_applied_only_if_allowed() -> None:
    """With two workers, applying may overtake storing."""
    log = _log((1,), (1,))
    log.commit_to(4)

    assert 1 == len(log.next_committed(is_unstable_allowed=False))
    assert 2 == len(log.next_committed(is_unstable_allowed=True))


def test_nothing_is_applied_while_a_snapshot_waits() -> None:
    """The entries after it need the state that it brings."""
    log = _log((1,))
    log.restore(Snapshot(meta=SnapshotMeta(index=9, term=2)))
    log.append(_entries(10, 2))
    log.commit_to(10)

    assert not log.has_next_committed(is_unstable_allowed=True)
    assert (10, 10) == (log.first_index(), log.last_index())


@pytest.mark.parametrize(
    ("term", "index", "is_up_to_date"),
    [(2, 4, True), (2, 5, True), (2, 3, False), (3, 1, True), (1, 9, False)],
)
def test_newer_term_outweighs_longer_log(term: int, index: int, is_up_to_date: bool) -> None:
    """Raft §5.4.1."""
    assert is_up_to_date == _log((1, 2)).is_up_to_date(term, index)


@given(st.lists(st.integers(1, 5), max_size=12), st.integers(0, 20), st.integers(0, 6))
def test_conflict_search_is_as_a_walk_back(terms: list[int], index: int, term: int) -> None:
    """The last entry at or before an index whose term is not above; unknown terms are 0."""
    log = _log(tuple(sorted(terms)))

    def known(at: int) -> int | None:
        return log.term(at) if 2 <= at <= log.last_index() else None

    at = index
    while at > 0 and (found := known(at)) is not None and found > term:
        at -= 1
    expected = EntryId(known(at) or 0, at)

    assert expected == log.find_conflict_by_term(index, term)
