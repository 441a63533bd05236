"""From one state to the next by a command: the same on every manager."""

from __future__ import annotations

from typing import Any, TypeAlias

from msgspec import Struct

from manager.core.objects.meta import Meta, StoredObject
from manager.core.store.codec import FieldCodec, Reader, codec_of
from manager.core.store.command import Action, Change, Command
from manager.core.store.draft import Draft, TableDraft
from manager.core.store.errors import UnreadableState
from manager.core.store.state import State


class Event(Struct, frozen=True, kw_only=True, gc=False):
    """What happened to one object in one command.

    object is as it is now, after a removal as it was last; old is None after a creation.
    """

    kind: str
    action: Action
    object: Any
    old: Any
    version: int


class Applied(Struct, frozen=True):
    """The state after a command, and one event per object. A void command changes nothing."""

    state: State
    events: tuple[Event, ...]
    is_void: bool = False


def apply(state: State, command: Command, index: int, reader: Reader) -> Applied:
    """Apply a command that stands at this index of the log.

    A command that does not follow the last one is void: its author did not know what it missed.
    Errors:  UnreadableState; the manager must stop then.
    """
    if command.sequence != state.sequence + 1:
        return Applied(state, (), is_void=True)
    draft = Draft(state)
    touched: Touched = {}
    for change in command.changes:
        codec = codec_of(change.kind)
        table = draft.table(codec.table)
        old = _apply_change(table, codec, change, command, index, reader)
        touched.setdefault((change.kind, change.id), old)
    return freeze(draft, touched, index)


Touched: TypeAlias = dict[tuple[str, str], StoredObject | None]
"""What objects were before, by kind and id."""


def freeze(draft: Draft, touched: Touched, index: int) -> Applied:
    """Return the state that a draft has become, as of an index, and what happened to objects."""
    events = tuple(
        event
        for (kind, object_id), old in touched.items()
        if (event := _event(kind, old, draft.table(codec_of(kind).table).get(object_id), index))
    )
    sequence = draft.base.sequence + 1
    return Applied(draft.freeze(version=index, sequence=sequence), events)


def _apply_change(
    table: TableDraft[Any],
    codec: FieldCodec,
    change: Change,
    command: Command,
    index: int,
    reader: Reader,
) -> StoredObject | None:
    """Write one change; return the object as it was."""
    old: StoredObject | None = table.get(change.id)
    if (old is None) != (change.action is Action.CREATE):
        raise UnreadableState(
            f"{change.action.name.lower()} of {change.kind} {change.id} does not fit the state"
        )
    if change.action is Action.REMOVE:
        table.drop(change.id)
        return old
    created_ns = command.time_ns if old is None else old.meta.created_ns
    meta = Meta(index, created_ns, command.time_ns)
    values = reader.read(codec, change.own, change.places, command.shared)
    table.put(codec.build(old, change.id, meta, values))
    return old


def _event(
    kind: str, old: StoredObject | None, new: StoredObject | None, version: int
) -> Event | None:
    if new is not None:
        action = Action.CREATE if old is None else Action.UPDATE
        return Event(kind=kind, action=action, object=new, old=old, version=version)
    if old is None:
        return None
    return Event(kind=kind, action=Action.REMOVE, object=old, old=old, version=version)
