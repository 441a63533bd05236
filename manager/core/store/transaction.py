"""A change of several objects that happens as one: reads see its own writes.

Changes run on the leader, one after another, on one draft; what a failed one wrote is undone.
Afterwards `changes` of each becomes part of a command.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Generic

from msgspec import structs

from api.cluster_errors import NameConflict, StaleVersion
from manager.core.objects.meta import Meta, StoredObject
from manager.core.store.command import Difference
from manager.core.store.draft import Draft, TableDraft
from manager.core.store.query import Rows
from manager.core.store.tables import (
    CLUSTERS,
    CONFIGS,
    EXTENSIONS,
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


class _Journal:
    """What the running change touched, as it was before; and what its writes are stamped with."""

    __slots__ = ("now_ns", "originals", "pending_version")

    def __init__(self, now_ns: int, pending_version: int) -> None:
        self.now_ns = now_ns
        self.pending_version = pending_version
        self.originals: dict[tuple[str, str], tuple[Table[Any], StoredObject | None]] = {}

    def note(self, table: Table[T], old: T | None, object_id: str) -> None:
        self.originals.setdefault((table.kind, object_id), (table, old))


class EditableRows(Rows[T]):
    """The objects of one table, and the ways to change them."""

    __slots__ = ("_draft", "_journal")

    def __init__(self, draft: TableDraft[T], journal: _Journal) -> None:
        super().__init__(draft.table, draft)
        self._draft = draft
        self._journal = journal

    def create(self, item: T) -> T:
        """Add an object; return it as stored.

        Errors:  the kind's NameConflict when another has its name.
        """
        assert item.id, "an object needs an id"
        assert self._draft.get(item.id) is None, f"{self._table.kind} {item.id} exists"
        self._check_name(item)
        return self._write(None, item)

    def update(self, item: T, *, version: int | None = None) -> T:
        """Put an object in the place of its older self; return it as stored.

        Its own version says what it was made from; `version` says it instead where users name it.
        Errors:  StaleVersion when the object changed since; the kind's NotFound; NameConflict.
        """
        old = self.need(item.id)
        if (item.meta.version_index if version is None else version) != old.meta.version_index:
            raise StaleVersion
        self._check_name(item)
        return self._write(old, item)

    def remove(self, object_id: str) -> T:
        """Take an object out; return it. Errors: the kind's NotFound."""
        self.need(object_id)
        old = self._draft.drop(object_id)
        self._journal.note(self._table, old, object_id)
        return old

    def _write(self, old: T | None, item: T) -> T:
        journal = self._journal
        created_ns = journal.now_ns if old is None else old.meta.created_ns
        meta = Meta(journal.pending_version, created_ns, journal.now_ns)
        stored = structs.replace(item, meta=meta)
        self._draft.put(stored)
        journal.note(self._table, old, item.id)
        return stored

    def _check_name(self, item: T) -> None:
        name = self._table.name(item) if self._table.name is not None else ""
        if name and any(other != item.id for other in self._draft.ids("name", name.lower())):
            taken: NameConflict = self._table.taken(name)
            raise taken


class _Edit(Generic[T]):
    """An attribute of a transaction: the editable rows of one table."""

    __slots__ = ("_table",)

    def __init__(self, table: Table[T]) -> None:
        self._table = table

    def __get__(self, transaction: Transaction, _owner: type[Transaction]) -> EditableRows[T]:
        return transaction.rows(self._table)


class Transaction:
    """What a change reads from and writes to, while it runs and no longer.

    now_ns is the time that what it writes is stamped with. Objects written here have the version
    that no committed one has; the real one is known when the command is committed.
    One transaction serves the changes of an entry one after another: each `begin`s.
    """

    __slots__ = ("_draft", "_journal", "_rows", "now_ns")

    clusters = _Edit(CLUSTERS)
    nodes = _Edit(NODES)
    services = _Edit(SERVICES)
    tasks = _Edit(TASKS)
    networks = _Edit(NETWORKS)
    secrets = _Edit(SECRETS)
    configs = _Edit(CONFIGS)
    volumes = _Edit(VOLUMES)
    extensions = _Edit(EXTENSIONS)
    resources = _Edit(RESOURCES)

    def __init__(self, draft: Draft, now_ns: int) -> None:
        self._draft = draft
        self._journal = _Journal(now_ns, draft.base.version + 1)
        self._rows: dict[str, EditableRows[Any]] = {}
        self.now_ns = now_ns

    def begin(self) -> None:
        """Begin the next change: what came before is no longer undone."""
        self._journal.originals.clear()

    @property
    def pending_version(self) -> int:
        """The version of what is written here, until it is committed."""
        return self._journal.pending_version

    def rows(self, table: Table[T]) -> EditableRows[T]:
        """Return the objects of one table."""
        found = self._rows.get(table.kind)
        if found is None:
            found = self._rows[table.kind] = EditableRows(self._draft.table(table), self._journal)
        return found

    def changes(self) -> Iterator[Difference]:
        """Return what was touched, in order: table, object before, object after."""
        for (_, object_id), (table, old) in self._journal.originals.items():
            new: StoredObject | None = self._draft.table(table).get(object_id)
            if old is not None or new is not None:
                yield table, old, new

    def undo(self) -> None:
        """Put everything back to what it was before this transaction."""
        for (_, object_id), (table, old) in reversed(self._journal.originals.items()):
            draft = self._draft.table(table)
            if old is not None:
                draft.put(old)
            elif draft.get(object_id) is not None:
                draft.drop(object_id)
        self._journal.originals.clear()
