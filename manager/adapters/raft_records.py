"""How one record of raft.db is sealed, checksummed, and read back or refused.

Every payload is sealed with the place that it stands in (table, keys, term), so that a record
cannot be read at another place. The checksum is over the sealed payload and the same place: it
tells damage from a wrong key.
"""

from __future__ import annotations

import struct
import zlib

import msgspec

from manager.core.raft.messages import Entry, EntryKind, HardState, SnapshotMeta
from manager.ports.cipher import Cipher

_ENTRY_PLACE = struct.Struct(">cQQB")
_PIECE_PLACE = struct.Struct(">cQQ")
_SNAPSHOT_PLACE = struct.Struct(">cQ")
_STATE_PLACE = b"state"
_KEY_LENGTH = struct.Struct(">H")


class Damaged(Exception):
    """A record is not what was written."""


class StateRecord(msgspec.Struct, frozen=True, array_like=True):
    """What ties the file together, rewritten by every transaction.

    sequence:  counts transactions.
    start:     (index, term) of the entry before the first one, last: of the last one.
    snapshot:  handle of the snapshot, 0 for none.
    """

    raft_id: int
    sequence: int = 0
    hard_state: HardState = HardState()
    start_index: int = 0
    start_term: int = 0
    last_index: int = 0
    last_term: int = 0
    snapshot: int = 0


class SnapshotRecord(msgspec.Struct, frozen=True, array_like=True):
    """The head of a snapshot; its pieces are numbered from 0."""

    meta: SnapshotMeta
    about: bytes
    pieces: int


Sealed = tuple[bytes, int]
_state_decoder = msgspec.msgpack.Decoder(StateRecord)
_snapshot_decoder = msgspec.msgpack.Decoder(SnapshotRecord)
_encoder = msgspec.msgpack.Encoder()


class Records:
    """Seals and opens the records of one file."""

    def __init__(self, cipher: Cipher) -> None:
        self._cipher = cipher

    def seal_state(self, state: StateRecord) -> Sealed:
        """Return payload and checksum of the state's row."""
        return self._seal(_encoder.encode(state), _STATE_PLACE)

    def open_state(self, payload: bytes, checksum: int) -> StateRecord:
        """Return the state. Errors: Damaged, CannotOpen under another key."""
        return _state_decoder.decode(self._open(payload, checksum, _STATE_PLACE, "the state"))

    def seal_entry(self, entry: Entry) -> tuple[int, int, int, bytes, int]:
        """Return an entry's row."""
        place = _ENTRY_PLACE.pack(b"e", entry.index, entry.term, entry.kind)
        plain = _KEY_LENGTH.pack(len(entry.key)) + entry.key + entry.data
        payload, checksum = self._seal(plain, place)
        return entry.index, entry.term, int(entry.kind), payload, checksum

    def open_entry(self, index: int, term: int, kind: int, payload: bytes, checksum: int) -> Entry:
        """Return the entry of a row. Errors: Damaged, CannotOpen under another key."""
        what = f"entry {index}"
        try:
            place = _ENTRY_PLACE.pack(b"e", index, term, kind)
            entry_kind = EntryKind(kind)
        except (struct.error, ValueError, TypeError) as error:
            raise Damaged(f"{what} is damaged") from error
        plain = self._open(payload, checksum, place, what)
        end = _KEY_LENGTH.size + _KEY_LENGTH.unpack_from(plain)[0]
        return Entry(
            term=term,
            index=index,
            kind=entry_kind,
            data=plain[end:],
            key=plain[_KEY_LENGTH.size : end],
        )

    def seal_snapshot(self, handle: int, record: SnapshotRecord) -> Sealed:
        """Return payload and checksum of a snapshot's head."""
        return self._seal(_encoder.encode(record), _SNAPSHOT_PLACE.pack(b"s", handle))

    def open_snapshot(self, handle: int, payload: bytes, checksum: int) -> SnapshotRecord:
        """Return a snapshot's head. Errors: Damaged, CannotOpen under another key."""
        place = _SNAPSHOT_PLACE.pack(b"s", handle)
        return _snapshot_decoder.decode(self._open(payload, checksum, place, "the snapshot's head"))

    def seal_piece(self, handle: int, number: int, piece: bytes) -> Sealed:
        """Return payload and checksum of a piece of a snapshot."""
        return self._seal(piece, _PIECE_PLACE.pack(b"p", handle, number))

    def open_piece(self, handle: int, number: int, payload: bytes, checksum: int) -> bytes:
        """Return a piece of a snapshot. Errors: Damaged, CannotOpen under another key."""
        place = _PIECE_PLACE.pack(b"p", handle, number)
        return self._open(payload, checksum, place, f"piece {number} of the snapshot")

    def _seal(self, plain: bytes, place: bytes) -> Sealed:
        payload = self._cipher.seal(plain, place)
        return payload, zlib.crc32(payload, zlib.crc32(place))

    def _open(self, payload: bytes, checksum: int, place: bytes, what: str) -> bytes:
        if not isinstance(payload, bytes) or checksum != zlib.crc32(payload, zlib.crc32(place)):
            raise Damaged(f"{what} is damaged")
        return self._cipher.open(payload, place)
