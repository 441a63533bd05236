"""A log in memory whose writes a test can hold back, or let fail."""

from __future__ import annotations

import asyncio

from manager.core.raft.messages import Entry, EntryId, HardState
from manager.ports.log import Batch, LogFailed, Stored, StoredSnapshot


class FakeLog:
    """Fulfils `Log`. What was written survives `reopened`."""

    def __init__(self, raft_id: int = 1) -> None:
        self.raft_id = raft_id
        self.hard_state = HardState()
        self.start = EntryId(term=0, index=0)
        self.entries: list[Entry] = []
        self.snapshot = StoredSnapshot()
        self.pieces: dict[tuple[int, int], bytes] = {}
        self.batches: list[Batch] = []
        self.fails = False
        self._handles = 0
        self._open = asyncio.Event()
        self._open.set()

    def hold(self) -> None:
        """Let no write end until `release`."""
        self._open.clear()

    def release(self) -> None:
        """Let writes end."""
        self._open.set()

    def stored(self) -> Stored:
        """Return what a start finds."""
        return Stored(self.raft_id, self.hard_state, self.start, list(self.entries), self.snapshot)

    async def write(self, batch: Batch) -> None:
        await self._written()
        self.batches.append(batch)
        if batch.snapshot is not None:
            self.snapshot = batch.snapshot
            meta = batch.snapshot.meta
            self.start, self.entries = EntryId(term=meta.term, index=meta.index), []
        if batch.entries:
            del self.entries[batch.entries[0].index - self.start.index - 1 :]
            self.entries.extend(batch.entries)
        self.hard_state = batch.hard_state or self.hard_state

    async def stage(self) -> int:
        self._handles += 1
        return self._handles

    async def write_piece(self, handle: int, number: int, piece: bytes) -> None:
        await self._written()
        self.pieces[handle, number] = piece

    async def drop(self, handle: int) -> None:
        await self._written()
        self.pieces = {key: piece for key, piece in self.pieces.items() if key[0] != handle}

    async def keep(self, snapshot: StoredSnapshot) -> bool:
        await self._written()
        if snapshot.meta.index < self.start.index:
            return False
        self.snapshot = snapshot
        return True

    async def compact(self, start: EntryId) -> None:
        await self._written()
        if start.index > self.start.index:
            del self.entries[: start.index - self.start.index]
            self.start = start

    async def reseal(self) -> None:
        await self._written()

    async def read_piece(self, handle: int, number: int) -> bytes:
        if (handle, number) not in self.pieces:
            raise LookupError(handle, number)
        return self.pieces[handle, number]

    async def close(self) -> None:
        pass

    async def _written(self) -> None:
        await asyncio.sleep(0)
        await self._open.wait()
        if self.fails:
            raise LogFailed("the disk is broken")
