"""The end of the log that is being written."""

from __future__ import annotations

import pytest

from manager.core.raft.messages import Entry, EntryId, Snapshot, SnapshotMeta
from manager.core.raft.unstable import Unstable


def _entries(first: int, *terms: int) -> list[Entry]:
    return [Entry(term=term, index=first + at) for at, term in enumerate(terms)]


def _ids(entries: list[Entry]) -> list[tuple[int, int]]:
    return [(entry.term, entry.index) for entry in entries]


def _unstable(*terms: int) -> Unstable:
    unstable = Unstable(5)
    if terms:
        unstable.append(_entries(5, *terms))
    return unstable


def test_entries_are_handed_out_for_writing_once() -> None:
    """Each goes to disk once, and stays readable here until that is done."""
    unstable = _unstable(1, 1)
    unstable.accept()
    unstable.append(_entries(7, 1))

    assert [(1, 7)] == _ids(unstable.next_entries())
    assert unstable.has_next_entries()
    unstable.accept()
    assert not unstable.has_next_entries()
    assert 7 == unstable.last_index()


@pytest.mark.parametrize(
    ("first", "kept"),
    [(8, [(1, 5), (1, 6), (1, 7)]), (6, [(1, 5)]), (5, []), (3, [])],
)
def test_replaced_entries_are_written_again(first: int, kept: list[tuple[int, int]]) -> None:
    """What was handed out already is out of date from the first replaced entry on."""
    unstable = _unstable(1, 1, 1)
    unstable.accept()

    unstable.append(_entries(first, 2, 2))

    assert [*kept, (2, first), (2, first + 1)] == _ids(unstable.entries)
    assert [(2, first), (2, first + 1)] == _ids(unstable.next_entries())


@pytest.mark.parametrize(
    ("stable", "left"),
    [((1, 5), [6, 7]), ((1, 7), []), ((1, 4), [5, 6, 7]), ((2, 6), [5, 6, 7]), ((1, 9), [5, 6, 7])],
)
def test_only_the_entry_that_was_written_counts_as_stored(
    stable: tuple[int, int], left: list[int]
) -> None:
    """A write may end after its entries were replaced; then it says nothing."""
    unstable = _unstable(1, 1, 1)
    unstable.accept()

    unstable.stable_to(EntryId(*stable))

    assert left == [entry.index for entry in unstable.entries]


def test_storing_more_than_was_handed_out_counts_as_handed_out() -> None:
    """Otherwise stored entries would be written again."""
    unstable = _unstable(1, 1)

    unstable.stable_to(EntryId(1, 6))
    has_next = unstable.has_next_entries()
    unstable.append(_entries(7, 1, 1, 1))

    assert not has_next
    assert [(1, 7), (1, 8), (1, 9)] == _ids(unstable.next_entries())


def test_snapshot_takes_the_place_of_everything() -> None:
    """It is handed out once, and known until it is stored."""
    unstable = _unstable(1, 1)
    snapshot = Snapshot(meta=SnapshotMeta(index=9, term=3))

    unstable.restore(snapshot)

    assert snapshot == unstable.next_snapshot()
    unstable.accept()
    assert unstable.next_snapshot() is None
    assert (9, 3, None) == (unstable.last_index(), unstable.term(9), unstable.term(8))
    unstable.snapshot_stable_to(8)
    assert snapshot == unstable.snapshot
    unstable.snapshot_stable_to(9)
    assert unstable.snapshot is None
    assert unstable.last_index() is None


def test_gap_is_a_broken_invariant() -> None:
    """Nobody may append past the end."""
    with pytest.raises(AssertionError, match="gap"):
        _unstable(1).append(_entries(7, 1))
