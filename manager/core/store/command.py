"""One log entry of the store: what changes, and after which entry.

Layout (msgpack):  [schema, [sequence, time_ns, shared, changes]]; a change is
[action, kind, id, own fields, places of shared fields]. The schema stands outside, so that a
manager can say that it is too old before it stumbles over what it does not know.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import Raw, Struct
from msgspec.msgpack import Decoder, Encoder

from manager.core.objects.meta import StoredObject
from manager.core.store.codec import CODECS, Writer
from manager.core.store.errors import NewerSchema, UnreadableState
from manager.core.store.migrate import SCHEMA, migrate_fields
from manager.core.store.tables import Table


class Action(IntEnum):
    """What happens to an object."""

    CREATE = 1
    UPDATE = 2
    REMOVE = 3


class Change(Struct, frozen=True, array_like=True, gc=False):
    """One object's change: fields as msgpack, or as places among the command's shared values."""

    action: Action
    kind: str
    id: str
    own: dict[str, Raw]
    places: dict[str, int]


Difference: TypeAlias = tuple[Table[Any], StoredObject | None, StoredObject | None]
"""What makes the last of the one before it: creation where there is none, removal where no last."""


class Command(Struct, frozen=True, array_like=True):
    """The changes of one entry. It is void unless `sequence` is the next one of the state."""

    sequence: int
    time_ns: int
    shared: list[Raw]
    changes: list[Change]


class Envelope(Struct, frozen=True, array_like=True):
    """Something written in some schema."""

    schema: int
    body: Raw


_ENCODER: Final = Encoder()
_ENVELOPE: Final = Decoder(Envelope)
_COMMAND: Final = Decoder(Command)

_CHANGE_OVERHEAD_BYTES: Final = 64


class CommandWriter:
    """Collects changes until they are written as one command."""

    def __init__(self, sequence: int, time_ns: int) -> None:
        self._sequence = sequence
        self._time_ns = time_ns
        self._writer = Writer()
        self._changes: list[Change] = []
        self._own_bytes = 0

    @property
    def size_bytes(self) -> int:
        """How long the command will be, at most."""
        return self._own_bytes + self._writer.size_bytes + _CHANGE_OVERHEAD_BYTES

    def __len__(self) -> int:
        return len(self._changes)

    @property
    def shared(self) -> list[Raw]:
        """The values that changes name by their places."""
        return self._writer.shared

    def mark(self) -> tuple[int, int, tuple[int, int]]:
        """Return the present place, to go `back_to`."""
        return len(self._changes), self._own_bytes, self._writer.mark()

    def back_to(self, mark: tuple[int, int, tuple[int, int]]) -> None:
        """Forget what was added since the mark."""
        count, self._own_bytes, place = mark
        del self._changes[count:]
        self._writer.back_to(place)

    def add(self, table: Table[Any], old: StoredObject | None, new: StoredObject | None) -> Change:
        """Add what makes `new` of `old`: creation where there is no old, removal where no new."""
        change, size_bytes = self._change(table, old, new)
        self._changes.append(change)
        self._own_bytes += (
            size_bytes + 24 * len(change.places) + len(change.id) + _CHANGE_OVERHEAD_BYTES
        )
        return change

    def _change(
        self, table: Table[Any], old: StoredObject | None, new: StoredObject | None
    ) -> tuple[Change, int]:
        """Return the change, and how long its own fields are."""
        if new is None:
            assert old is not None
            return Change(Action.REMOVE, table.kind, old.id, {}, {}), 0
        values = CODECS[table.kind].changes(old, new)
        own, places, size_bytes = self._writer.write(table, values)
        action = Action.CREATE if old is None else Action.UPDATE
        return Change(action, table.kind, new.id, own, places), size_bytes

    def encode(self) -> bytes:
        """Return the command."""
        body = Command(self._sequence, self._time_ns, self._writer.shared, self._changes)
        return _ENCODER.encode(Envelope(SCHEMA, Raw(_ENCODER.encode(body))))


def decode_command(data: bytes) -> Command:
    """Return the command, its fields as the schema of now has them.

    Errors:  NewerSchema, UnreadableState.
    """
    schema, body = open_envelope(data)
    try:
        command = _COMMAND.decode(body)
    except msgspec.MsgspecError as error:
        raise UnreadableState(f"no command: {error}") from error
    if schema == SCHEMA:
        return command
    return _migrated(command, schema)


def open_envelope(data: bytes) -> tuple[int, Raw]:
    """Return schema and body. Errors: NewerSchema, UnreadableState."""
    try:
        envelope = _ENVELOPE.decode(data)
    except msgspec.MsgspecError as error:
        raise UnreadableState(f"neither schema nor body: {error}") from error
    if envelope.schema > SCHEMA:
        raise NewerSchema(envelope.schema, SCHEMA)
    return envelope.schema, envelope.body


def _migrated(command: Command, schema: int) -> Command:
    changes = []
    for change in command.changes:
        own = {**change.own, **{name: command.shared[at] for name, at in change.places.items()}}
        changes.append(
            Change(
                change.action,
                change.kind,
                change.id,
                migrate_fields(schema, change.kind, own),
                {},
            )
        )
    return Command(command.sequence, command.time_ns, [], changes)
