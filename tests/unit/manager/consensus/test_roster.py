"""Who the members are by name, as changes and snapshots carry it."""

from __future__ import annotations

from manager.consensus.roster import (
    Roster,
    Seat,
    decode_roster,
    decode_seats,
    encode_roster,
    encode_seats,
)
from manager.core.raft.messages import ChangeKind, ConfChange, ConfChangeSingle

BIG = 2**63 + 5
HERE, THERE = Seat("n1", "a:1"), Seat("n1", "b:1")


def change(kind: ChangeKind, raft_id: int, seat: Seat | None = None) -> ConfChange:
    context = encode_seats({raft_id: seat}) if seat else b""
    return ConfChange((ConfChangeSingle(kind, raft_id),), context=context)


def test_member_is_added_promoted_moved_and_removed() -> None:
    added = Roster().after(change(ChangeKind.ADD_LEARNER, BIG, HERE))
    promoted = added.after(change(ChangeKind.ADD_VOTER, BIG))
    moved = promoted.after(change(ChangeKind.UPDATE, BIG, THERE))
    removed = moved.after(change(ChangeKind.REMOVE, BIG))

    assert {BIG: HERE} == added.seats == promoted.seats
    assert "b:1" == moved.address(BIG)
    assert BIG == moved.of_node("n1")
    assert Roster(removed=frozenset({BIG})) == removed
    assert removed.address(BIG) is None


def test_roster_and_seats_survive_encoding() -> None:
    roster = Roster(seats={BIG: HERE, 1: THERE}, removed=frozenset({3, BIG - 1}))

    assert roster == decode_roster(encode_roster(roster))
    assert Roster() == decode_roster(b"")
    assert {BIG: HERE} == decode_seats(encode_seats({BIG: HERE}))
    assert {} == decode_seats(b"")
