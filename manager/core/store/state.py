"""The whole state of the cluster at one version: immutable, so that a view of it costs nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias

from immutables import Map

from manager.core.store.tables import TABLES, T, Table

FEW_IDS = 24
"""So many ids are kept as a tuple at the most: it is copied faster than a map, and takes less."""

Ids: TypeAlias = "tuple[str, ...] | Map[str, None]"
"""A set of ids: a few are a sorted tuple; more are a persistent map without values.

So one set has one form, whatever it was before.
"""


def ids_of(ids: Ids | None) -> Collection[str]:
    """Return the ids of a set as such."""
    return () if ids is None else ids


@dataclass(frozen=True, slots=True)
class TableState(Generic[T]):
    """The objects of one table by id, and for each index the ids by key. Nothing here changes."""

    table: Table[T]
    objects: Map[str, T]
    indexes: Mapping[str, Map[str, Ids]]

    def get(self, object_id: str) -> T | None:
        """Return the object, or None."""
        return self.objects.get(object_id)

    def ids(self, index: str, key: str) -> Collection[str]:
        """Return the ids of the objects that have this key; in no order."""
        return ids_of(self.indexes[index].get(key))

    def all(self) -> Iterable[T]:
        """Return all objects; in no order."""
        return self.objects.values()

    def size(self) -> int:
        """Return how many objects there are."""
        return len(self.objects)


@dataclass(frozen=True, slots=True)
class State:
    """All tables after some command.

    version is the log index of the last command that changed something. sequence counts these
    commands: a command names the one that it builds on, and is void after any other.
    """

    version: int
    sequence: int
    tables: Mapping[str, TableState[Any]]


def empty_table(table: Table[T]) -> TableState[T]:
    """Return a table without objects."""
    return TableState(table, Map(), {name: Map() for name in table.indexes})


def empty_state() -> State:
    """Return what a cluster begins with."""
    return State(0, 0, {kind: empty_table(table) for kind, table in TABLES.items()})
