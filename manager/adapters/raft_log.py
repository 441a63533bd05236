"""The log of consensus on disk, for the event loop: fulfils `Log`.

One thread does all writing, in order of call; another one reads pieces and merges what was written.
The first write that fails is the last one: after a failed fsync nobody knows what the disk has, so
nothing is retried, and whoever waits for a write learns that the manager must stop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from sqlite3 import Error as SqliteError
from typing import TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError

from manager.adapters.lane import Lane
from manager.adapters.raft_file import RaftFile
from manager.adapters.raft_open import create_file, has_file, open_file, reason
from manager.adapters.raft_records import Damaged, Records
from manager.core.raft.messages import EntryId
from manager.ports.cipher import CannotOpen, Cipher
from manager.ports.log import Batch, LogDamaged, LogFailed, Stored, StoredSnapshot

log = structlog.get_logger(__name__)

_T = TypeVar("_T")
_COMPACT_STEP = 512
_RESEAL_STEP = 128
_DROP_STEP = 4


class RaftLog:
    """Fulfils `Log`; made by `open_log`, ended by `close`."""

    def __init__(self, path: Path, file: RaftFile, lane: Lane, handle: int) -> None:
        self._path = path
        self._file = file
        self._lane = lane
        self._readers = ThreadPoolExecutor(max_workers=1, thread_name_prefix="raft-read")
        self._next_handle = handle
        self._failure: LogFailed | None = None
        self._is_merging = False
        self._is_closed = False

    async def write(self, batch: Batch) -> None:
        """Write a batch, whole or not at all."""
        await self._run(partial(self._file.write, batch))
        self._checkpoint()

    async def stage(self) -> int:
        """Return a handle for pieces to come."""
        self._next_handle += 1
        return self._next_handle

    async def write_piece(self, handle: int, number: int, piece: bytes) -> None:
        """Store a piece."""
        await self._run(partial(self._file.write_piece, handle, number, piece))
        self._checkpoint()

    async def drop(self, handle: int) -> None:
        """Forget pieces, few at a time, so that entries are not kept waiting."""
        while await self._run(partial(self._file.drop, handle, _DROP_STEP)):
            pass

    async def keep(self, snapshot: StoredSnapshot) -> bool:
        """Make staged pieces the snapshot, unless a received one is newer."""
        return await self._run(partial(self._file.keep, snapshot))

    async def compact(self, start: EntryId) -> None:
        """Forget entries, some hundred at a time, so that new ones are not kept waiting."""
        while (position := self._file.start_index()) < start.index:
            step = min(position + _COMPACT_STEP, start.index)
            await self._run(partial(self._file.compact, step))

    async def reseal(self) -> None:
        """Seal all there is by the newest key, a little at a time."""
        position: int | None = 0
        while position is not None:
            position = await self._run(partial(self._file.reseal_entries, position, _RESEAL_STEP))
            self._checkpoint()
        await self._run(self._file.reseal_snapshot)
        piece: tuple[int, int] | None = (0, 0)
        while piece is not None:
            piece = await self._run(partial(self._file.reseal_piece, piece))
            self._checkpoint()
        await self._run(self._file.empty_write_ahead_log)

    async def read_piece(self, handle: int, number: int) -> bytes:
        """Return a piece."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._readers, self._file.read_piece, handle, number)
        except (Damaged, CannotOpen, SQLAlchemyError) as error:
            raise LogDamaged(f"the raft log {self._path}: {reason(error)}") from error

    async def close(self) -> None:
        """Finish what was asked for and close."""
        if not self._is_closed:
            self._is_closed = True
            await asyncio.to_thread(self._close)

    def _checkpoint(self) -> None:
        """Have the write-ahead log merged if due; nobody waits for it, and no write behind it."""
        if self._file.is_checkpoint_due and not self._is_merging and not self._is_closed:
            self._is_merging = True
            self._readers.submit(self._merge)

    def _merge(self) -> None:
        """Merge beside the writes, then, between two of them, what they have added meanwhile."""
        if self._has_merged(self._file.checkpoint):
            self._lane.put(self._finish_merge)

    def _finish_merge(self) -> None:
        self._has_merged(self._file.finish_checkpoint)
        self._is_merging = False

    def _has_merged(self, work: Callable[[], None]) -> bool:
        try:
            self._guarded(work)
        except LogFailed:
            return False  # the next write tells
        return True

    async def _run(self, work: Callable[[], _T]) -> _T:
        """Do work on the writing thread. Errors: LogFailed, from the first failure on for ever."""
        return await self._lane.do(partial(self._guarded, work))

    def _guarded(self, work: Callable[[], _T]) -> _T:
        if self._failure is not None:
            raise self._failure
        try:
            return work()
        except (SQLAlchemyError, SqliteError, OSError, Damaged, CannotOpen) as error:
            self._failure = LogFailed(f"the raft log {self._path} failed: {reason(error)}")
            raise self._failure from error

    def _close(self) -> None:
        self._readers.shutdown(wait=True)
        self._lane.close()
        self._file.close()


async def create_log(path: Path, cipher: Cipher, raft_id: int) -> None:
    """Make an empty log for a new member.

    Errors:  LogDamaged when there is one already, LogFailed when it cannot be written.
    """
    await asyncio.to_thread(create_file, path, Records(cipher), raft_id)


async def has_log(path: Path) -> bool:
    """Tell whether there is a log, whole or damaged; what an interrupted making left is none.

    To be asked only while a member is made: one that has taken part must have its log.
    """
    return await asyncio.to_thread(has_file, path)


async def open_log(path: Path, cipher: Cipher) -> tuple[RaftLog, Stored]:
    """Open a log and return what is in it; an absent one is an error, never an empty log.

    Errors:  LogDamaged, with the file's name and what to do.
    """
    lane = Lane("raft-log")
    try:
        file, stored = await lane.do(partial(open_file, path, Records(cipher)))
    except BaseException:
        await asyncio.to_thread(lane.close)
        raise
    return RaftLog(path, file, lane, stored.snapshot.handle), stored
