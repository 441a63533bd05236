"""Dumps of the state: when they are taken, which of the log stays, who still reads an old one."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace

import structlog

from manager.consensus.mirror import Mirror
from manager.consensus.roster import Roster, encode_roster
from manager.consensus.settings import Settings
from manager.core.raft.messages import EntryId, SnapshotMeta
from manager.ports.log import Log, StoredSnapshot

log = structlog.get_logger(__name__)

TakePoint = Callable[[], tuple[SnapshotMeta, Roster, Iterator[bytes]]]


class Dumps:
    """The newest dump on disk, and the making of the next one."""

    def __init__(
        self,
        log_: Log,
        mirror: Mirror,
        settings: Settings,
        current: StoredSnapshot,
        take: TakePoint,
    ) -> None:
        """Begin. take: gives the state of now, as of which entry it is, and who the members are."""
        self._log = log_
        self._mirror = mirror
        self._settings = settings
        self._take = take
        self._due = asyncio.Event()
        self._readers: Counter[int] = Counter()
        self._read_index: dict[int, int] = {}
        self._bytes = 0
        self._taking = asyncio.Lock()
        self.current = current

    def applied(self, index: int, total_bytes: int) -> None:
        """Take in how far the state is, and how many bytes of commands were ever applied."""
        if self._taking.locked():
            return
        entries = index - self.current.meta.index
        size = total_bytes - self._bytes
        if entries >= self._settings.snapshot_entries or (
            entries > 0 and size >= self._settings.snapshot_bytes
        ):
            self._bytes = total_bytes
            self._due.set()

    def keep(self, snapshot_entries: int, trailing_entries: int) -> None:
        """Have other numbers of entries from now on; 0 leaves one as it is."""
        self._settings = replace(
            self._settings,
            snapshot_entries=snapshot_entries or self._settings.snapshot_entries,
            trailing_entries=trailing_entries or self._settings.trailing_entries,
        )

    @property
    def is_due(self) -> bool:
        """Whether one is to be taken."""
        return self._due.is_set()

    def request(self) -> None:
        """Have a dump taken soon."""
        self._due.set()

    async def run(self) -> None:
        """Take dumps as they come due until cancelled. Errors: LogFailed."""
        while True:
            await self._due.wait()
            self._due.clear()
            await self.take()

    async def take(self) -> None:
        """Take a dump now, and cut the log behind it; nothing to do if there is one as of now."""
        async with self._taking:
            meta, roster, pieces = self._take()
            if meta.index > self.current.meta.index:
                await self._store(meta, roster, pieces)
                await self._compact()

    async def _store(self, meta: SnapshotMeta, roster: Roster, pieces: Iterator[bytes]) -> None:
        handle, count = await self._log.stage(), 0
        while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
            await self._log.write_piece(handle, count, piece)
            count += 1
        stored = StoredSnapshot(meta, encode_roster(roster), count, handle)
        if not await self._log.keep(stored) or meta.index <= self.current.meta.index:
            await self._log.drop(handle)
            return
        self._mirror.create_snapshot(meta.index, meta.conf, stored.about)
        log.info("raft.dump_taken", index=meta.index, pieces=count)
        await self._replace(stored)

    async def received(self, stored: StoredSnapshot) -> None:
        """Take in that a received snapshot took the place of log and dump."""
        await self._replace(stored)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[tuple[StoredSnapshot, AsyncIterator[bytes]]]:
        """Lend the dump and its pieces; they stay, and the log after them, until the end."""
        stored = self.current
        self._readers[stored.handle] += 1
        self._read_index[stored.handle] = stored.meta.index
        try:
            yield stored, self.pieces(stored)
        finally:
            self._readers[stored.handle] -= 1
            if not self._readers[stored.handle]:
                del self._readers[stored.handle], self._read_index[stored.handle]
                if stored.handle != self.current.handle:
                    await self._log.drop(stored.handle)

    async def pieces(self, stored: StoredSnapshot) -> AsyncIterator[bytes]:
        """Yield a dump's pieces in order."""
        for number in range(stored.pieces):
            yield await self._log.read_piece(stored.handle, number)

    async def _replace(self, stored: StoredSnapshot) -> None:
        old, self.current = self.current, stored
        if old.handle not in {0, stored.handle} and old.handle not in self._readers:
            await self._log.drop(old.handle)

    async def _compact(self) -> None:
        index = self._compaction_index()
        if index >= self._mirror.first_index():
            term = self._mirror.term(index)
            self._mirror.compact(index)
            await self._log.compact(EntryId(index=index, term=term))

    def _compaction_index(self) -> int:
        """Return up to where the log may go: a tail stays, and what readers of dumps need next."""
        end = self.current.meta.index
        index = max(end - self._settings.trailing_entries, self._mirror.first_index() - 1)
        while index < end and self._mirror.size_between(index, end) > self._settings.trailing_bytes:
            index += max(1, (end - index) // 2)
        return min([index, *self._read_index.values()])
