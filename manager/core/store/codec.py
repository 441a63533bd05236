"""Objects to bytes and back, field by field.

What is written of an object is what differs: from its older self in an update, from a blank object
of its kind in a creation. So a task's new status costs a status, not a task. Fields that are alike
in many objects (`Table.shared`) are written once per command and kept once in memory.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from sys import intern
from typing import Any, Final

import msgspec
from msgspec import Raw, structs
from msgspec.msgpack import Decoder, Encoder

from manager.core.objects.meta import Meta, StoredObject
from manager.core.store.errors import UnreadableState
from manager.core.store.tables import TABLES, T, Table

KEPT_VALUES: Final = 4096
"""Shared values that a codec remembers; beyond that, equal ones may be kept twice."""

_ENCODER: Final = Encoder()


class FieldCodec:
    """The codec of one kind."""

    __slots__ = ("_blank", "_decoders", "_lean", "table")

    def __init__(self, table: Table[Any]) -> None:
        self.table = table
        self._blank = table.type(id="")
        known = {f.name: f.type for f in structs.fields(table.type) if f.name in table.fields}
        self._decoders: Mapping[str, Decoder[Any]] = {n: Decoder(t) for n, t in known.items()}
        texts = {name: intern for name, kind in known.items() if kind is str}
        self._lean: Mapping[str, Callable[[Any], Any]] = {**texts, **table.lean}

    def changes(self, old: StoredObject | None, new: StoredObject) -> dict[str, Any]:
        """Return the fields in which an object differs from its older self, or from a blank one."""
        base = self._blank if old is None else old
        values = self.table.values
        return {
            name: after
            for name, before, after in zip(
                self.table.fields, values(base), values(new), strict=False
            )
            if before is not after and before != after
        }

    def decode(self, name: str, raw: Raw | bytes) -> Any:
        """Return the value of a field. Errors: UnreadableState."""
        decoder = self._decoders.get(name)
        if decoder is None:
            raise UnreadableState(f"{self.table.kind} has no field {name!r}")
        try:
            value = decoder.decode(raw)
        except msgspec.MsgspecError as error:
            raise UnreadableState(f"{self.table.kind}.{name}: {error}") from error
        lean = self._lean.get(name)
        return value if lean is None else lean(value)

    def build(
        self, old: StoredObject | None, object_id: str, meta: Meta, values: Mapping[str, Any]
    ) -> Any:
        """Return the object that these values make of its older self, or of a blank one."""
        if old is not None:
            return structs.replace(old, meta=meta, **values)
        return structs.replace(self._blank, id=object_id, meta=meta, **values)


CODECS: Final[Mapping[str, FieldCodec]] = {
    kind: FieldCodec(table) for kind, table in TABLES.items()
}


def codec_of(kind: str) -> FieldCodec:
    """Return the codec of a kind. Errors: UnreadableState where nothing of that kind is kept."""
    found = CODECS.get(kind)
    if found is None:
        raise UnreadableState(f"unknown kind of objects {kind!r}")
    return found


class Writer:
    """Turns fields into bytes, and collects those that are shared.

    Each shared value stands once in `shared`; objects name its place there.
    """

    def __init__(self) -> None:
        self.shared: list[Raw] = []
        self.size_bytes = 0
        self._places: dict[bytes, int] = {}
        self._known: dict[int, tuple[Any, int]] = {}

    def write(
        self, table: Table[T], values: Mapping[str, Any]
    ) -> tuple[dict[str, Raw], dict[str, int], int]:
        """Return the own fields as bytes, the places of the shared ones, and how long the own are.

        With names and heads, at most.
        """
        own: dict[str, Raw] = {}
        places: dict[str, int] = {}
        size_bytes = 0
        for name, value in values.items():
            if name in table.shared:
                places[name] = self._place(value)
            else:
                data = _ENCODER.encode(value)
                own[name] = Raw(data)
                size_bytes += len(name) + len(data) + 8
        return own, places, size_bytes

    def mark(self) -> tuple[int, int]:
        """Return the present place, to go `back_to`."""
        return len(self.shared), self.size_bytes

    def back_to(self, mark: tuple[int, int]) -> None:
        """Forget what was shared since the mark."""
        count, self.size_bytes = mark
        for raw in self.shared[count:]:
            del self._places[bytes(raw)]
        del self.shared[count:]
        self._known.clear()

    def _place(self, value: Any) -> int:
        known = self._known.get(id(value))
        if known is not None:
            return known[1]
        data = _ENCODER.encode(value)
        place = self._places.get(data)
        if place is None:
            place = self._places[data] = len(self.shared)
            self.shared.append(Raw(data))
            self.size_bytes += len(data)
        self._known[id(value)] = (value, place)  # holds the value, so that its id stays its own
        return place


class Reader:
    """Turns bytes into fields; remembers shared values, so that equal ones are one object."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str, bytes], Any] = OrderedDict()
        self._last: dict[tuple[str, str], tuple[bytes, Any]] = {}

    def read(
        self,
        codec: FieldCodec,
        own: Mapping[str, Raw],
        places: Mapping[str, int],
        shared: Sequence[Raw],
    ) -> dict[str, Any]:
        """Return the values by field. Errors: UnreadableState."""
        runs = codec.table.runs
        values = {
            name: self._run(codec, name, raw) if name in runs else codec.decode(name, raw)
            for name, raw in own.items()
        }
        for name, place in places.items():
            if not 0 <= place < len(shared):
                raise UnreadableState(f"{codec.table.kind}.{name}: no shared value {place}")
            values[name] = self._shared(codec, name, shared[place])
        return values

    def _run(self, codec: FieldCodec, name: str, raw: Raw) -> Any:
        """Return a value; the one of the object before where it is the same."""
        key, data = (codec.table.kind, name), bytes(raw)
        last = self._last.get(key)
        if last is None or last[0] != data:
            last = self._last[key] = data, codec.decode(name, raw)
        return last[1]

    def _shared(self, codec: FieldCodec, name: str, raw: Raw) -> Any:
        key = (codec.table.kind, name, bytes(raw))
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        value = self._kept[key] = codec.decode(name, raw)
        if len(self._kept) > KEPT_VALUES:
            self._kept.popitem(last=False)
        return value
