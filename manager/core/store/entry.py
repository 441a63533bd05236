"""One log entry in the making: changes run one after another on one draft, each alone.

A change that raises, or for which there is no room, leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from manager.core.objects.meta import Meta, StoredObject
from manager.core.store.apply import Applied, Touched, freeze
from manager.core.store.codec import CODECS, Reader
from manager.core.store.command import Change as WireChange
from manager.core.store.command import CommandWriter
from manager.core.store.draft import Draft
from manager.core.store.errors import ChangeTooLarge
from manager.core.store.state import State
from manager.core.store.tables import Table
from manager.core.store.transaction import Transaction

R = TypeVar("R")

Change: TypeAlias = Callable[[Transaction], R]
"""What reads and writes in one go. It may be run more than once: it has no other effects."""


class NoRoom(Exception):
    """The change fits into an entry, but no longer into this one."""


@dataclass(frozen=True, slots=True)
class EntryLimits:
    """How much goes into one entry: bytes, and how many objects before it counts as full."""

    max_bytes: int = 1_500_000
    max_objects: int = 400


class EntryBuilder:
    """Gathers changes on top of a state.

    What a change wrote is written as bytes and read back at once. So a value that no manager could
    read is the error of its change, and not the end of all managers when it is committed.
    """

    def __init__(self, state: State, now_ns: int, limits: EntryLimits, reader: Reader) -> None:
        self._draft = Draft(state)
        self._transaction = Transaction(self._draft, now_ns)
        self._writer = CommandWriter(state.sequence + 1, now_ns)
        self._limits = limits
        self._reader = reader
        self._touched: Touched = {}
        self._data = b""

    @property
    def is_empty(self) -> bool:
        """Whether nothing changes."""
        return len(self._writer) == 0

    @property
    def is_full(self) -> bool:
        """Whether this is enough for one entry."""
        return len(self._writer) >= self._limits.max_objects

    def run(self, change: Change[R]) -> R:
        """Run a change, keep what it wrote, return what it returned.

        Errors:  those of the change; NoRoom; ChangeTooLarge when no entry has room for it;
                 UnreadableState when it wrote a value of a wrong type.
        """
        transaction, mark = self._transaction, self._writer.mark()
        transaction.begin()
        try:
            result = change(transaction)
            touched = self._write()
        except BaseException:
            transaction.undo()
            self._writer.back_to(mark)
            raise
        for key, old in touched.items():
            self._touched.setdefault(key, old)
        return result

    def encode(self) -> bytes:
        """Return the entry, to which nothing is added any more."""
        self._data = self._writer.encode()
        return self._data

    def adopt(self, state: State, index: int, data: bytes) -> Applied | None:
        """Return what this entry makes of the state, if it is the one that was encoded here.

        The draft is that already, as long as the index is the one that was expected.
        """
        draft, pending = self._draft, self._transaction.pending_version
        if state is not draft.base or index != pending or data != self._data:
            return None
        return freeze(draft, self._touched, index)

    def _write(self) -> Touched:
        """Write down what the change did; return what it touched, as it was before."""
        was_empty, limit_bytes = self.is_empty, self._limits.max_bytes
        touched: Touched = {}
        for table, old, new in self._transaction.changes():
            wire = self._writer.add(table, old, new)
            if self._writer.size_bytes > limit_bytes:
                size_bytes = self._writer.size_bytes
                raise ChangeTooLarge(size_bytes, limit_bytes) if was_empty else NoRoom
            if new is not None:
                self._read_back(table, old, new, wire)
            touched[table.kind, wire.id] = old
        return touched

    def _read_back(
        self, table: Table[Any], old: StoredObject | None, new: StoredObject, wire: WireChange
    ) -> None:
        """Put what others will read in the place of what was written."""
        codec, meta = CODECS[table.kind], new.meta
        if old is not None:
            meta = Meta(meta.version_index, old.meta.created_ns, meta.updated_ns)
        values = self._reader.read(codec, wire.own, wire.places, self._writer.shared)
        self._draft.table(table).swap(codec.build(old, new.id, meta, values))
