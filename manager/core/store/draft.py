"""A state in the making: writes go to private copies of just what they touch.

A draft is made from a state in no time, takes writes, reads them back, and freezes into the next
state. The state that it came from is as it was.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Generic, TypeVar, cast

from immutables import Map, MapMutation

from manager.core.store.state import FEW_IDS, Ids, State, TableState, ids_of
from manager.core.store.tables import T, Table

V = TypeVar("V")


class _MapDraft(Generic[V]):
    """A persistent map that is written in place, as long as nobody looks at the whole of it."""

    __slots__ = ("_map", "_open")

    def __init__(self, base: Map[str, V]) -> None:
        self._map = base
        self._open: MapMutation[str, V] | None = None

    def get(self, key: str) -> V | None:
        return self._map.get(key) if self._open is None else self._open.get(key)

    def put(self, key: str, value: V) -> None:
        if self._open is None:
            self._open = self._map.mutate()
        self._open[key] = value

    def drop(self, key: str) -> None:
        if self._open is None:
            self._open = self._map.mutate()
        del self._open[key]

    def freeze(self) -> Map[str, V]:
        if self._open is not None:
            self._map = self._open.finish()
            self._open = None
        return self._map


class _IndexDraft:
    """Sets of ids by key. The larger sets that are being changed stay open until somebody reads."""

    __slots__ = ("_open", "_sets")

    def __init__(self, base: Map[str, Ids]) -> None:
        self._sets = _MapDraft(base)
        self._open: dict[str, MapMutation[str, None]] = {}

    def add(self, key: str, object_id: str) -> None:
        found = self._open.get(key)
        if found is not None:
            found[object_id] = None
            return
        ids = self._sets.get(key)
        if ids is None:
            self._sets.put(key, (object_id,))
        elif isinstance(ids, tuple) and len(ids) < FEW_IDS:
            self._sets.put(key, _with(ids, object_id))
        else:
            self._opened(key, ids)[object_id] = None

    def discard(self, key: str, object_id: str) -> None:
        found = self._open.get(key)
        if found is None:
            ids = self._sets.get(key)
            assert ids is not None
            if isinstance(ids, tuple):
                self._keep(key, tuple(each for each in ids if each != object_id))
                return
            found = self._opened(key, ids)
        del found[object_id]

    def move(self, before: Sequence[str], after: Sequence[str], object_id: str) -> None:
        if before != after:
            for key in set(before).difference(after):
                self.discard(key, object_id)
            for key in set(after).difference(before):
                self.add(key, object_id)

    def ids(self, key: str) -> Collection[str]:
        if key in self._open:
            self._close(key)
        return ids_of(self._sets.get(key))

    def freeze(self) -> Map[str, Ids]:
        for key in list(self._open):
            self._close(key)
        return self._sets.freeze()

    def _opened(self, key: str, ids: Ids) -> MapMutation[str, None]:
        base: Map[str, None] = Map(dict.fromkeys(ids)) if isinstance(ids, tuple) else ids
        found = self._open[key] = base.mutate()
        return found

    def _close(self, key: str) -> None:
        ids = self._open.pop(key).finish()
        self._keep(key, ids if len(ids) > FEW_IDS else tuple(sorted(ids)))

    def _keep(self, key: str, ids: Ids) -> None:
        if ids:
            self._sets.put(key, ids)
        else:
            self._sets.drop(key)


def _with(ids: tuple[str, ...], object_id: str) -> tuple[str, ...]:
    place = bisect_left(ids, object_id)
    if ids[place : place + 1] == (object_id,):
        return ids
    return (*ids[:place], object_id, *ids[place:])


class TableDraft(Generic[T]):
    """One table in the making."""

    __slots__ = ("_indexes", "_objects", "table")

    def __init__(self, base: TableState[T]) -> None:
        self.table: Table[T] = base.table
        self._objects = _MapDraft(base.objects)
        self._indexes = {name: _IndexDraft(sets) for name, sets in base.indexes.items()}

    def get(self, object_id: str) -> T | None:
        """Return the object as it was written last, or None."""
        return self._objects.get(object_id)

    def ids(self, index: str, key: str) -> Collection[str]:
        """Return the ids of the objects that have this key; in no order."""
        return self._indexes[index].ids(key)

    def all(self) -> Iterable[T]:
        """Return all objects; in no order."""
        return self._objects.freeze().values()

    def size(self) -> int:
        """Return how many objects there are."""
        return len(self._objects.freeze())

    def put(self, item: T) -> T | None:
        """Write an object; return the one that it takes the place of."""
        table, old = self.table, self._objects.get(item.id)
        self._objects.put(item.id, item)
        if old is None:
            for name, index in table.indexes.items():
                for key in index.keys(item):
                    self._indexes[name].add(key, item.id)
        else:
            self._move(old, item)
        return old

    def swap(self, item: T) -> None:
        """Write an object in the place of one that is equal, and so has the same keys."""
        self._objects.put(item.id, item)

    def _move(self, old: T, item: T) -> None:
        table = self.table
        before, after = table.indexed_values(old), table.indexed_values(item)
        if before == after:
            return
        changed = zip(table.indexes_by_field, before, after, strict=True)
        moved = {name: None for names, one, other in changed if one != other for name in names}
        for name in moved:
            keys = table.indexes[name].keys
            self._indexes[name].move(keys(old), keys(item), item.id)

    def drop(self, object_id: str) -> T:
        """Remove an object, which must be there; return it."""
        old = self._objects.get(object_id)
        assert old is not None
        self._objects.drop(object_id)
        for name, index in self.table.indexes.items():
            for key in set(index.keys(old)):
                self._indexes[name].discard(key, object_id)
        return old

    def freeze(self) -> TableState[T]:
        """Return the table as it is now."""
        indexes = {name: index.freeze() for name, index in self._indexes.items()}
        return TableState(self.table, self._objects.freeze(), indexes)


class Draft:
    """All tables in the making; those that nobody asked for stay as they are."""

    __slots__ = ("_base", "_tables")

    def __init__(self, base: State) -> None:
        self._base = base
        self._tables: dict[str, TableDraft[Any]] = {}

    @property
    def base(self) -> State:
        """The state that this draft came from."""
        return self._base

    def table(self, table: Table[T]) -> TableDraft[T]:
        """Return the draft of one table."""
        found = self._tables.get(table.kind)
        if found is None:
            found = self._tables[table.kind] = TableDraft(self._base.tables[table.kind])
        return cast("TableDraft[T]", found)

    def freeze(self, *, version: int, sequence: int) -> State:
        """Return the state as it is now."""
        changed = {kind: draft.freeze() for kind, draft in self._tables.items()}
        return State(version, sequence, {**self._base.tables, **changed})
