"""raft.db, synchronously: one transaction per call, durable when the call returns.

SQLite in WAL mode with synchronous=FULL: a commit ends with an fsync of the write-ahead log.
Checkpoints are run here and not by SQLite's own hook, for that one swallows a failed fsync.
Only one thread may write; `read_piece` and `checkpoint` have a connection of their own, for
another thread.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from msgspec.structs import replace
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import NullPool

from manager.adapters.raft_mark import Mark
from manager.adapters.raft_records import Records, SnapshotRecord, StateRecord
from manager.core.raft.messages import Entry, EntryId
from manager.ports.log import Batch, StoredSnapshot

_INSERT_ENTRY = "INSERT INTO log (position, term, kind, payload, checksum) VALUES (?, ?, ?, ?, ?)"
_UPDATE_STATE = "UPDATE state SET payload = ?, checksum = ? WHERE id = 1"
_INSERT_SNAPSHOT = "INSERT INTO snapshot (handle, payload, checksum) VALUES (?, ?, ?)"
_INSERT_PIECE = "INSERT INTO piece (handle, number, payload, checksum) VALUES (?, ?, ?, ?)"
_SELECT_PIECE = "SELECT payload, checksum FROM piece WHERE handle = ? AND number = ?"
_SELECT_ENTRIES = (
    "SELECT position, term, kind, payload, checksum FROM log WHERE position > ? "
    "ORDER BY position LIMIT ?"
)
_SELECT_NEXT_PIECE = (
    "SELECT handle, number, payload, checksum FROM piece WHERE (handle, number) > (?, ?) "
    "ORDER BY handle, number LIMIT 1"
)
_SELECT_SNAPSHOT = "SELECT payload, checksum FROM snapshot WHERE handle = ?"
_UPDATE_ENTRY = "UPDATE log SET payload = ?, checksum = ? WHERE position = ?"
_UPDATE_SNAPSHOT = "UPDATE snapshot SET payload = ?, checksum = ? WHERE handle = ?"
_UPDATE_PIECE = "UPDATE piece SET payload = ?, checksum = ? WHERE handle = ? AND number = ?"
_CHECKPOINT_BYTES = 4 << 20
_PAGE_BYTES = 4096
_JOURNAL_LIMIT_BYTES = 16 << 20


class RaftFile:
    """The open file; made by raft_open.py, which has verified it."""

    def __init__(
        self,
        engine: Engine,
        connection: Connection,
        records: Records,
        mark: Mark,
        state: StateRecord,
    ) -> None:
        self._engine = engine
        self._writer = connection
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        self._driver = driver
        self._reader = engine.connect()
        self._records = records
        self._mark = mark
        self._state = state
        self._unchecked_bytes = 0

    @property
    def is_checkpoint_due(self) -> bool:
        """Whether the write-ahead log has grown enough."""
        return self._unchecked_bytes >= _CHECKPOINT_BYTES

    def write(self, batch: Batch) -> None:
        """Write a batch in one transaction."""
        if batch.snapshot is None:
            self._write_entries(batch)
            return
        with self._writer.begin():
            state = self._replace_log(self._state, batch.snapshot)
            if batch.entries:
                state = self._append(state, batch.entries)
            state = self._put_state(_with_hard_state(state, batch))
        self._committed(state)

    def _write_entries(self, batch: Batch) -> None:
        """Write a batch without a snapshot.

        Every change of the cluster comes through here; so it speaks to SQLite's own driver, at a
        third of what a transaction of SQLAlchemy's costs. The first statement begins one.
        """
        state = self._state
        try:
            if batch.entries:
                state = self._append(state, batch.entries)
            state = self._put_state(_with_hard_state(state, batch))
            self._driver.commit()
        except BaseException:
            self._driver.rollback()
            raise
        self._committed(state)

    def write_piece(self, handle: int, number: int, piece: bytes) -> None:
        """Store a piece of a snapshot that is not one yet."""
        payload, checksum = self._records.seal_piece(handle, number, piece)
        with self._writer.begin():
            self._writer.exec_driver_sql(_INSERT_PIECE, (handle, number, payload, checksum))
        self._unchecked_bytes += len(payload) + _PAGE_BYTES

    def keep(self, snapshot: StoredSnapshot) -> bool:
        """Make staged pieces the snapshot; False if a received one is newer."""
        if snapshot.meta.index < self._state.start_index:
            return False
        with self._writer.begin():
            state = self._put_state(self._put_snapshot(self._state, snapshot))
        self._committed(state)
        return True

    def compact(self, index: int) -> None:
        """Forget the entries up to an index, if they were not replaced by a snapshot meanwhile."""
        if index <= self._state.start_index:
            return
        with self._writer.begin():
            (term,) = self._writer.exec_driver_sql(
                "SELECT term FROM log WHERE position = ?", (index,)
            ).one()
            self._writer.exec_driver_sql("DELETE FROM log WHERE position <= ?", (index,))
            state = self._put_state(replace(self._state, start_index=index, start_term=term))
        self._committed(state)

    def reseal_entries(self, after: int, count: int) -> int | None:
        """Seal some entries after an index anew; return the last one's, None if there are none."""
        with self._writer.begin():
            rows = self._writer.exec_driver_sql(_SELECT_ENTRIES, (after, count)).all()
            if not rows:
                return None
            for row in rows:
                *place, payload, checksum = self._records.seal_entry(self._records.open_entry(*row))
                self._writer.exec_driver_sql(_UPDATE_ENTRY, (payload, checksum, place[0]))
            state = self._put_state(self._state)
        self._committed(state)
        self._unchecked_bytes += sum(len(row[3]) for row in rows)
        return int(rows[-1][0])

    def reseal_snapshot(self) -> None:
        """Seal the snapshot's head anew."""
        handle = self._state.snapshot
        with self._writer.begin():
            if row := self._writer.exec_driver_sql(_SELECT_SNAPSHOT, (handle,)).one_or_none():
                record = self._records.open_snapshot(handle, *row)
                sealed = self._records.seal_snapshot(handle, record)
                self._writer.exec_driver_sql(_UPDATE_SNAPSHOT, (*sealed, handle))
            state = self._put_state(self._state)
        self._committed(state)

    def reseal_piece(self, after: tuple[int, int]) -> tuple[int, int] | None:
        """Seal the piece after (handle, number) anew; return its place, None if there is none.

        Pieces of snapshots to come are sealed too: they may have been begun under an older key.
        """
        with self._writer.begin():
            row = self._writer.exec_driver_sql(_SELECT_NEXT_PIECE, after).one_or_none()
            if row is None:
                return None
            handle, number, *found = row
            piece = self._records.open_piece(handle, number, *found)
            sealed = self._records.seal_piece(handle, number, piece)
            self._writer.exec_driver_sql(_UPDATE_PIECE, (*sealed, handle, number))
        self._unchecked_bytes += len(piece)
        return handle, number

    def drop(self, handle: int, count: int) -> bool:
        """Forget some pieces of a handle; return whether there may be more."""
        assert handle != self._state.snapshot, "the snapshot's own pieces stay"
        with self._writer.begin():
            gone = self._writer.exec_driver_sql(
                "DELETE FROM piece WHERE handle = ? AND number IN "
                "(SELECT number FROM piece WHERE handle = ? ORDER BY number LIMIT ?)",
                (handle, handle, count),
            ).rowcount
        self._unchecked_bytes += _PAGE_BYTES
        return gone == count

    def read_piece(self, handle: int, number: int) -> bytes:
        """Return a piece. Errors: LookupError, Damaged, CannotOpen."""
        with self._reader.begin():
            row = self._reader.exec_driver_sql(_SELECT_PIECE, (handle, number)).one_or_none()
        if row is None:
            raise LookupError(handle, number)
        return self._records.open_piece(handle, number, *row)

    def checkpoint(self) -> None:
        """Move the write-ahead log's pages to their places.

        To be called where pieces are read: writes go on meanwhile, and theirs are left.
        """
        self._checkpoint(self._reader, "PASSIVE")

    def finish_checkpoint(self) -> None:
        """Move those few that were left: the log begins anew only when there are none."""
        self._checkpoint(self._writer, "PASSIVE")

    def empty_write_ahead_log(self) -> None:
        """Move all of its pages to their places, and leave nothing of it on disk."""
        self._checkpoint(self._writer, "TRUNCATE")

    def start_index(self) -> int:
        """Return the index that the log is compacted to."""
        return self._state.start_index

    def close(self) -> None:
        """Close the file; the write-ahead log is merged by this."""
        self._reader.close()
        self._writer.close()
        self._engine.dispose()
        self._mark.close()

    def _checkpoint(self, connection: Connection, mode: str) -> None:
        self._unchecked_bytes = 0
        connection.exec_driver_sql(f"PRAGMA wal_checkpoint({mode})").all()
        connection.rollback()  # a pragma opens no transaction, but SQLAlchemy notes one
        self._mark.sync()

    def _append(self, state: StateRecord, entries: Sequence[Entry]) -> StateRecord:
        first, last = entries[0].index, entries[-1]
        assert state.start_index < first <= state.last_index + 1, "entries leave a gap in the log"
        if first <= state.last_index:
            self._driver.execute("DELETE FROM log WHERE position >= ?", (first,))
        rows = [self._records.seal_entry(entry) for entry in entries]
        self._driver.executemany(_INSERT_ENTRY, rows)
        self._unchecked_bytes += sum(len(row[3]) for row in rows) + _PAGE_BYTES
        return replace(state, last_index=last.index, last_term=last.term)

    def _replace_log(self, state: StateRecord, snapshot: StoredSnapshot) -> StateRecord:
        place = EntryId(index=snapshot.meta.index, term=snapshot.meta.term)
        self._writer.exec_driver_sql("DELETE FROM log")
        return replace(
            self._put_snapshot(state, snapshot),
            start_index=place.index,
            start_term=place.term,
            last_index=place.index,
            last_term=place.term,
        )

    def _put_snapshot(self, state: StateRecord, snapshot: StoredSnapshot) -> StateRecord:
        record = SnapshotRecord(meta=snapshot.meta, about=snapshot.about, pieces=snapshot.pieces)
        payload, checksum = self._records.seal_snapshot(snapshot.handle, record)
        self._writer.exec_driver_sql("DELETE FROM snapshot")
        self._writer.exec_driver_sql(_INSERT_SNAPSHOT, (snapshot.handle, payload, checksum))
        return replace(state, snapshot=snapshot.handle)

    def _put_state(self, state: StateRecord) -> StateRecord:
        state = replace(state, sequence=state.sequence + 1)
        self._driver.execute(_UPDATE_STATE, self._records.seal_state(state))
        return state

    def _committed(self, state: StateRecord) -> None:
        self._state = state
        self._mark.write(state.sequence)
        self._unchecked_bytes += 2 * _PAGE_BYTES


def _with_hard_state(state: StateRecord, batch: Batch) -> StateRecord:
    return state if batch.hard_state is None else replace(state, hard_state=batch.hard_state)


def connect(path: Path, mode: Literal["ro", "rw", "rwc"]) -> Engine:
    """Return an engine for the file; nothing is opened yet.

    mode:  SQLite's: read only (which leaves even a damaged write-ahead log as it is), write what
           exists, or make the file too.
    """
    address = f"file:{quote(str(path))}?mode={mode}"
    # One thread at a time has a connection, but not always the same one.
    engine = create_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect(address, uri=True, check_same_thread=False),
        poolclass=NullPool,
    )
    if mode != "ro":
        event.listen(engine, "connect", _prepare)
    return engine


def _prepare(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",
        "wal_autocheckpoint = 0",
        f"journal_size_limit = {_JOURNAL_LIMIT_BYTES}",
        "busy_timeout = 5000",
        "cache_size = -1000",  # what is written is hardly ever read
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
