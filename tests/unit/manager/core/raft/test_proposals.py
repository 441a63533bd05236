"""What became of proposals."""

from __future__ import annotations

from manager.core.raft.messages import Entry, EntryId, EntryKind, SnapshotMeta
from manager.core.raft.proposals import Outcome, Proposals


def _waiting(*places: tuple[int, int]) -> Proposals[str]:
    proposals: Proposals[str] = Proposals()
    for term, index in places:
        proposals.add(EntryId(term, index), f"{term}/{index}")
    return proposals


def test_entry_in_its_place_is_committed() -> None:
    """And ends exactly once."""
    proposals = _waiting((2, 5))

    assert [("2/5", Outcome.COMMITTED)] == proposals.on_committed(Entry(term=2, index=5))
    assert [] == proposals.on_committed(Entry(term=2, index=5))
    assert 0 == len(proposals)


def test_another_entry_in_its_place_means_certainly_not() -> None:
    """Two entries never share a place, and a place is filled once."""
    assert [("2/5", Outcome.CERTAINLY_NOT)] == _waiting((2, 5)).on_committed(Entry(term=3, index=5))


def test_newer_term_before_it_means_certainly_not() -> None:
    """Terms never fall along a log, so the wait need not go on."""
    proposals = _waiting((2, 5), (2, 6), (4, 7))

    settled = proposals.on_committed(Entry(term=3, index=4))

    assert [("2/5", Outcome.CERTAINLY_NOT), ("2/6", Outcome.CERTAINLY_NOT)] == settled
    assert 1 == len(proposals)


def test_same_term_before_it_says_nothing() -> None:
    """It may still come."""
    proposals = _waiting((2, 5))

    assert [] == proposals.on_committed(Entry(term=2, index=4))
    assert 1 == len(proposals)


def test_two_proposals_may_have_waited_for_one_index() -> None:
    """Leadership was lost and won again, and the log was shorter then."""
    proposals = _waiting((2, 5), (4, 5))

    settled = proposals.on_committed(Entry(term=4, index=5))

    assert [("2/5", Outcome.CERTAINLY_NOT), ("4/5", Outcome.COMMITTED)] == settled


def test_snapshot_hides_what_was_committed() -> None:
    """What it covers may be in it or not; what it shows to be impossible is certainly not."""
    proposals = _waiting((2, 4), (2, 5), (3, 6), (2, 7), (3, 7))
    proposals.add_forwarded(b"key", "forwarded")

    settled = dict(proposals.on_snapshot(SnapshotMeta(index=5, term=3)))

    assert {
        "2/4": Outcome.UNKNOWN,
        "2/5": Outcome.CERTAINLY_NOT,
        "2/7": Outcome.CERTAINLY_NOT,
        "forwarded": Outcome.UNKNOWN,
    } == settled
    assert 2 == len(proposals)


def test_last_entry_of_a_snapshot_is_known() -> None:
    """Its term is in the snapshot's description."""
    settled = _waiting((3, 5)).on_snapshot(SnapshotMeta(index=5, term=3))

    assert [("3/5", Outcome.COMMITTED)] == settled


def test_forwarded_proposal_is_known_by_its_key() -> None:
    """The leader gave it a place that its proposer does not know."""
    proposals = _waiting()
    proposals.add_forwarded(b"key", "forwarded")

    other = proposals.on_committed(Entry(term=2, index=5, data=b"x", key=b"other"))
    own = proposals.on_committed(Entry(term=2, index=6, data=b"x", key=b"key"))

    assert ([], [("forwarded", Outcome.COMMITTED)]) == (other, own)


def test_forwarded_change_that_did_not_fit_is_certainly_not() -> None:
    """The leader put an empty entry with its key in its place."""
    proposals = _waiting()
    proposals.add_forwarded(b"key", "refused")
    proposals.add_forwarded(b"leave", "taken")

    refused = proposals.on_committed(Entry(term=2, index=5, key=b"key"))
    taken = proposals.on_committed(Entry(term=2, index=6, kind=EntryKind.CHANGE, key=b"leave"))

    assert [("refused", Outcome.CERTAINLY_NOT)] == refused
    assert [("taken", Outcome.COMMITTED)] == taken


def test_abandoned_proposals_are_unknown() -> None:
    """Whoever stops waiting cannot tell."""
    proposals = _waiting((2, 5), (2, 6))
    proposals.add_forwarded(b"key", "forwarded")

    assert [("2/5", Outcome.UNKNOWN)] == proposals.abandon("2/5")
    assert [] == proposals.abandon("2/5")
    assert [("forwarded", Outcome.UNKNOWN)] == proposals.abandon("forwarded")
    assert [("2/6", Outcome.UNKNOWN)] == proposals.abandon_all()
    assert 0 == len(proposals)
    assert [] == proposals.on_committed(Entry(term=2, index=5))
