"""Reading a state: by id, by index, by prefix. Results come in the order of their ids."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from operator import attrgetter
from typing import Any, Generic, Protocol, TypeVar

from manager.core.objects.meta import StoredObject
from manager.core.store.state import State
from manager.core.store.tables import (
    CLUSTERS,
    CONFIGS,
    EXTENSIONS,
    ID_BUCKET_CHARACTERS,
    NETWORKS,
    NODES,
    RESOURCES,
    SECRETS,
    SERVICES,
    TASKS,
    VOLUMES,
    T,
    Table,
)

T_co = TypeVar("T_co", bound=StoredObject, covariant=True)

_by_id = attrgetter("id")


class Source(Protocol[T_co]):
    """What rows are read from: a table's state, or its draft."""

    def get(self, object_id: str) -> T_co | None:
        """Return the object, or None."""
        ...

    def ids(self, index: str, key: str) -> Collection[str]:
        """Return the ids of the objects that have this key; in no order."""
        ...

    def all(self) -> Iterable[T_co]:
        """Return all objects; in no order."""
        ...

    def size(self) -> int:
        """Return how many objects there are."""
        ...


class Rows(Generic[T]):
    """The objects of one table."""

    __slots__ = ("_source", "_table")

    def __init__(self, table: Table[T], source: Source[T]) -> None:
        self._table = table
        self._source = source

    def __iter__(self) -> Iterator[T]:
        """All of them, in the order of their ids."""
        return iter(sorted(self._source.all(), key=_by_id))

    def __len__(self) -> int:
        return self._source.size()

    def __contains__(self, object_id: str) -> bool:
        return self._source.get(object_id) is not None

    def get(self, object_id: str) -> T | None:
        """Return the object with this whole id, or None."""
        return self._source.get(object_id)

    def need(self, object_id: str) -> T:
        """Return the object with this whole id. Errors: the kind's NotFound."""
        found = self._source.get(object_id)
        if found is None:
            raise self._table.not_found(object_id)
        return found

    def by(self, **keys: str) -> list[T]:
        """Return the objects that have all of these keys: `by(service=id, node=id)`.

        The names are those of the table's indexes (`tables.py`); names are compared without case,
        labels are `key` or `key=value`.
        """
        return [found for i in sorted(self._ids(keys)) if (found := self._source.get(i))]

    def find(self, **keys: str) -> T | None:
        """Return the first of `by`, or None."""
        ids = self._ids(keys)
        return self._source.get(min(ids)) if ids else None

    def count(self, **keys: str) -> int:
        """Return how many `by` would return."""
        return len(self._ids(keys))

    def prefixed(self, prefix: str) -> list[T]:
        """Return the objects whose id begins like this."""
        if len(prefix) < ID_BUCKET_CHARACTERS:
            return [found for found in self if found.id.startswith(prefix)]
        bucket = self._source.ids("bucket", prefix[:ID_BUCKET_CHARACTERS])
        ids = sorted(i for i in bucket if i.startswith(prefix))
        return [found for i in ids if (found := self._source.get(i))]

    def lookup(self, ref: str) -> list[T]:
        """Return what users may mean: the object with this id, else this name, else id prefix.

        More than one means that the reference is ambiguous.
        """
        if (found := self._source.get(ref)) is not None:
            return [found]
        if "name" in self._table.indexes and (named := self.by(name=ref)):
            return named
        return self.prefixed(ref) if ref else []

    def _ids(self, keys: dict[str, str]) -> Collection[str]:
        found = [self._source.ids(name, self._key(name, key)) for name, key in keys.items()]
        assert found, "by() without a key: iterate instead"
        if len(found) == 1:
            return found[0]
        smallest, *others = sorted(found, key=len)
        return [i for i in smallest if all(i in other for other in others)]

    def _key(self, name: str, key: str) -> str:
        return key.lower() if self._table.indexes[name].is_folded else key


class _Read(Generic[T]):
    """An attribute of a view: the rows of one table."""

    __slots__ = ("_table",)

    def __init__(self, table: Table[T]) -> None:
        self._table = table

    def __get__(self, view: View, _owner: type[View]) -> Rows[T]:
        return view.rows(self._table)


class View:
    """An immutable snapshot of the cluster: what is committed later does not show in it."""

    __slots__ = ("_state",)

    clusters = _Read(CLUSTERS)
    nodes = _Read(NODES)
    services = _Read(SERVICES)
    tasks = _Read(TASKS)
    networks = _Read(NETWORKS)
    secrets = _Read(SECRETS)
    configs = _Read(CONFIGS)
    volumes = _Read(VOLUMES)
    extensions = _Read(EXTENSIONS)
    resources = _Read(RESOURCES)

    def __init__(self, state: State) -> None:
        self._state = state

    @property
    def version(self) -> int:
        """The log index of the last change in this view."""
        return self._state.version

    def rows(self, table: Table[T]) -> Rows[T]:
        """Return the objects of one table."""
        source: Any = self._state.tables[table.kind]
        return Rows(table, source)
