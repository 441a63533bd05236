"""The whole state as bytes, in pieces that are small, and back.

Layout:  pieces of 4 bytes of length (big-endian) and an envelope as commands have it. The first is
the head, the last the tail, which says how many objects there were; between are rows of one kind
each. Rows come in the order of kinds and ids: equal states have equal dumps.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct
from msgspec.msgpack import Decoder, Encoder

from manager.core.objects.meta import Meta, StoredObject
from manager.core.store.codec import CODECS, FieldCodec, Reader, Writer, codec_of
from manager.core.store.command import open_envelope
from manager.core.store.draft import Draft
from manager.core.store.errors import UnreadableState
from manager.core.store.migrate import SCHEMA, migrate_fields
from manager.core.store.state import State, TableState, empty_state, ids_of
from manager.core.store.tables import TABLES

FORMAT: Final = "skep-store"
PIECE_OBJECTS: Final = 250
PIECE_BYTES: Final = 256 * 1024
_LENGTH_BYTES: Final = 4


class Row(Struct, frozen=True, array_like=True, gc=False):
    """One object: its meta, its own fields, and places of shared ones."""

    id: str
    version_index: int
    created_ns: int
    updated_ns: int
    own: dict[str, Raw]
    places: dict[str, int]


class Head(Struct, frozen=True, tag="head", kw_only=True):
    """What the dump is of."""

    format: str
    version: int
    sequence: int


class Piece(Struct, frozen=True, tag="rows", kw_only=True):
    """Some objects of a kind."""

    kind: str
    shared: list[Raw]
    rows: list[Row]


class Tail(Struct, frozen=True, tag="tail", kw_only=True):
    """The end: without it, the dump was cut off."""

    objects: int


_ENCODER: Final = Encoder()
_PART: Final[Decoder[Head | Piece | Tail]] = Decoder(Head | Piece | Tail)


def dump(state: State) -> Iterator[bytes]:
    """Return the dump of a state piece by piece; each takes a few milliseconds.

    The state does not change, so other threads may go on while this runs in one of its own.
    """
    yield _framed(Head(format=FORMAT, version=state.version, sequence=state.sequence))
    count = 0
    for kind, table in state.tables.items():
        pieces = _Pieces(CODECS[kind])
        for object_id in _in_order(table):
            if pieces.add(table.objects[object_id]):
                yield pieces.take()
        if pieces.rows:
            yield pieces.take()
        count += len(table.objects)
    yield _framed(Tail(objects=count))


def _in_order(table: TableState[Any]) -> Iterator[str]:
    """Yield the ids in order. To sort all of them at once would stop other threads meanwhile."""
    buckets = table.indexes["bucket"]
    for key in sorted(buckets):
        yield from sorted(ids_of(buckets[key]))


def load(chunks: Iterable[bytes], reader: Reader) -> State:
    """Return the state of a dump, of this schema or an older one, cut into chunks in any way.

    Errors:  NewerSchema; UnreadableState when it is cut off, damaged, or no dump.
    """
    loader = _Loader(reader)
    buffer = bytearray()
    for chunk in chunks:
        buffer += chunk
        at = 0
        while (end := _end_of_piece(buffer, at)) <= len(buffer):
            loader.read(bytes(buffer[at + _LENGTH_BYTES : end]))
            at = end
        del buffer[:at]
    if buffer:
        raise UnreadableState("the dump is cut off")
    return loader.finish()


def _end_of_piece(buffer: bytearray, at: int) -> int:
    length = int.from_bytes(buffer[at : at + _LENGTH_BYTES], "big")
    return at + _LENGTH_BYTES + length


class _Pieces:
    """Gathers objects of a kind into pieces of bounded size."""

    def __init__(self, codec: FieldCodec) -> None:
        self._codec = codec
        self._begin()

    def _begin(self) -> None:
        self._writer = Writer()
        self._bytes = 0
        self.rows: list[Row] = []

    def add(self, item: StoredObject) -> bool:
        """Add an object; tell whether the piece is full now."""
        values = self._codec.changes(None, item)
        own, places, _ = self._writer.write(self._codec.table, values)
        meta = item.meta
        self.rows.append(
            Row(item.id, meta.version_index, meta.created_ns, meta.updated_ns, own, places)
        )
        self._bytes += sum(len(bytes(raw)) for raw in own.values())
        size_bytes = self._bytes + self._writer.size_bytes
        return len(self.rows) >= PIECE_OBJECTS or size_bytes >= PIECE_BYTES

    def take(self) -> bytes:
        """Return the piece, and begin another."""
        kind = self._codec.table.kind
        piece = Piece(kind=kind, shared=self._writer.shared, rows=self.rows)
        self._begin()
        return _framed(piece)


class _Loader:
    """Builds a state from the pieces of a dump."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._draft = Draft(empty_state())
        self._head: Head | None = None
        self._count = 0
        self._is_complete = False

    def read(self, piece: bytes) -> None:
        schema, body = open_envelope(piece)
        try:
            part = _PART.decode(body)
        except msgspec.MsgspecError as error:
            raise UnreadableState(f"no piece of a dump: {error}") from error
        if isinstance(part, Head) != (self._head is None) or self._is_complete:
            raise UnreadableState("the pieces of the dump are in disorder")
        match part:
            case Head():
                if part.format != FORMAT:
                    raise UnreadableState(f"this is a dump of {part.format!r}")
                self._head = part
            case Piece():
                self._add(part, schema)
            case Tail():
                self._is_complete = part.objects == self._count

    def finish(self) -> State:
        if self._head is None or not self._is_complete:
            raise UnreadableState("the dump is cut off")
        return self._draft.freeze(version=self._head.version, sequence=self._head.sequence)

    def _add(self, piece: Piece, schema: int) -> None:
        codec = codec_of(piece.kind)
        table = self._draft.table(TABLES[piece.kind])
        for row in piece.rows:
            own, places = self._fields(row, piece, schema)
            values = self._reader.read(codec, own, places, piece.shared)
            meta = Meta(row.version_index, row.created_ns, row.updated_ns)
            if table.put(codec.build(None, row.id, meta, values)) is not None:
                raise UnreadableState(f"{piece.kind} {row.id} comes twice")
        self._count += len(piece.rows)

    @staticmethod
    def _fields(row: Row, piece: Piece, schema: int) -> tuple[Mapping[str, Raw], Mapping[str, int]]:
        if schema == SCHEMA:
            return row.own, row.places
        own = {**row.own, **{name: piece.shared[at] for name, at in row.places.items()}}
        return migrate_fields(schema, piece.kind, own), {}


def _framed(part: Head | Piece | Tail) -> bytes:
    body: Any = [SCHEMA, Raw(_ENCODER.encode(part))]
    data = _ENCODER.encode(body)
    return len(data).to_bytes(_LENGTH_BYTES, "big") + data
