"""A disk that keeps what was synced, and of the rest as much as a crash leaves."""

from __future__ import annotations

from dataclasses import dataclass

from manager.core.raft.config import NO_LIMIT
from manager.core.raft.errors import EntriesCompacted
from manager.core.raft.memory_log import MemoryLog
from manager.core.raft.messages import ConfState, Entry, EntryId, HardState, Snapshot


class DiskFailed(Exception):
    """A write or sync failed: the member must stop, and may not know what is on the disk."""


@dataclass(frozen=True, slots=True)
class Dump:
    """The applied state that a member wrote down by itself, and how many entries it keeps."""

    index: int
    conf: ConfState
    data: bytes
    keep_entries: int


@dataclass(frozen=True, slots=True)
class Write:
    """One transaction."""

    hard_state: HardState | None = None
    snapshot: Snapshot | None = None
    entries: tuple[Entry, ...] = ()
    dump: Dump | None = None


def apply_write(log: MemoryLog, write: Write) -> None:
    """Do to a log what a transaction says."""
    if write.snapshot is not None:
        log.apply_snapshot(write.snapshot)
    log.append(write.entries)
    if write.hard_state is not None:
        log.set_hard_state(write.hard_state)
    dump = write.dump
    if dump is not None and dump.index > log.snapshot().meta.index:
        log.create_snapshot(dump.index, dump.conf, dump.data)
        cut = dump.index - dump.keep_entries
        if cut >= log.first_index():
            log.compact(cut)


def copy_log(log: MemoryLog) -> MemoryLog:
    """Return a log that is equal and lives on its own."""
    hard_state, _ = log.initial_state()
    first, last = log.first_index(), log.last_index()
    entries = log.entries(first, last + 1, NO_LIMIT) if last >= first else []
    try:
        start = EntryId(term=log.term(first - 1), index=first - 1)
    except EntriesCompacted:  # pragma: no cover - a starting point is always known
        start = EntryId(term=0, index=first - 1)
    return MemoryLog(hard_state, log.snapshot(), entries, start)


class Disk:
    """Transactions in order; `sync` makes all of them safe, a crash keeps some of the others."""

    def __init__(self, first: Snapshot | None = None) -> None:
        self._durable = MemoryLog()
        if first is not None:
            self._durable.apply_snapshot(first)
            meta = first.meta
            self._durable.set_hard_state(HardState(term=meta.term, vote=0, commit=meta.index))
        self._pending: list[Write] = []
        self.failing = False

    @property
    def unsynced(self) -> int:
        """How many transactions a crash may lose."""
        return len(self._pending)

    def write(self, write: Write) -> None:
        """Take a transaction. Errors: DiskFailed."""
        if self.failing:
            raise DiskFailed
        self._pending.append(write)

    def sync(self) -> None:
        """Make every transaction safe. Errors: DiskFailed, with the transactions still unsafe."""
        if self.failing:
            raise DiskFailed
        self._keep(len(self._pending))

    def crash(self, kept: int) -> None:
        """Lose the transactions that were not synced, but for the first `kept`."""
        self._keep(kept)
        self._pending.clear()
        self.failing = False

    def read(self) -> MemoryLog:
        """Return what a member finds when it starts."""
        assert not self._pending, "read only after a crash"
        return copy_log(self._durable)

    def _keep(self, count: int) -> None:
        for write in self._pending[:count]:
            apply_write(self._durable, write)
        del self._pending[:count]
