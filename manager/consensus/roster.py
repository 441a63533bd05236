"""Who the members are by name and address: what the log's changes of membership carry along."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from manager.core.raft.messages import ChangeKind, ConfChange


class Seat(msgspec.Struct, frozen=True, array_like=True):
    """A member's node, and where it is reached: `host:port`."""

    node_id: str
    address: str


class Roster(msgspec.Struct, frozen=True, array_like=True):
    """Members by raft id, and the ids of those that were removed and must not come back."""

    seats: dict[int, Seat] = msgspec.field(default_factory=dict)
    removed: frozenset[int] = frozenset()

    def address(self, raft_id: int) -> str | None:
        """Return where a member is reached."""
        seat = self.seats.get(raft_id)
        return seat.address if seat else None

    def addresses(self) -> dict[int, str]:
        """Return where every member is reached."""
        return {raft_id: seat.address for raft_id, seat in self.seats.items()}

    def of_node(self, node_id: str) -> int | None:
        """Return the raft id of a node's member."""
        found = (raft_id for raft_id, seat in self.seats.items() if seat.node_id == node_id)
        return next(found, None)

    def after(self, change: ConfChange) -> Roster:
        """Return the roster once a change of membership was applied."""
        seats = {**self.seats, **decode_seats(change.context)}
        gone = {each.id for each in change.changes if each.kind is ChangeKind.REMOVE}
        left = {raft_id: seat for raft_id, seat in seats.items() if raft_id not in gone}
        return Roster(seats=left, removed=self.removed | gone)


_SEATS = msgspec.msgpack.Decoder(dict[int, Seat])
_ROSTER = msgspec.msgpack.Decoder(Roster)


def encode_seats(seats: Mapping[int, Seat]) -> bytes:
    """Return seats as the context of a change."""
    return msgspec.msgpack.encode(dict(seats))


def decode_seats(context: bytes) -> dict[int, Seat]:
    """Return the seats in a change's context. Errors: msgspec.DecodeError."""
    return _SEATS.decode(context) if context else {}


def encode_roster(roster: Roster) -> bytes:
    """Return a roster as what a snapshot carries along."""
    return msgspec.msgpack.encode(roster)


def decode_roster(about: bytes) -> Roster:
    """Return the roster of a snapshot. Errors: msgspec.DecodeError."""
    return _ROSTER.decode(about) if about else Roster()
