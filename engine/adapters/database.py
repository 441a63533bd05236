"""The engine's records in SQLite.

One thread does all the writing. Changes that arrive while it is busy are committed together, so
that a hundred containers started at once cost a few transactions and not hundreds.
WAL with synchronous=NORMAL: what `apply` returned from survives the death of the process; a power
cut may take the last moments, but never leaves half a transaction.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from api.errors import Internal
from engine.adapters.migrate import migrate
from engine.adapters.reserve import DiskReserve
from engine.ports.records import Change, Kind

log = structlog.get_logger(__name__)

_BUSY_TIMEOUT_MS = 5_000
_UPSERT = (
    "INSERT INTO records (kind, key, document) VALUES (?, ?, ?) "
    "ON CONFLICT (kind, key) DO UPDATE SET document = excluded.document"
)
_DELETE = "DELETE FROM records WHERE kind = ? AND key = ?"


class DatabaseRecords:
    """Fulfils `Records`; made by `open_records`, ended by `close`."""

    def __init__(self, engine: Engine, connection: Connection, lane: ThreadPoolExecutor) -> None:
        self._engine = engine
        self._connection = connection
        self._lane = lane
        self._reserve = DiskReserve(Path(f"{engine.url.database}-reserve"))
        self._waiting: list[tuple[Sequence[Change], asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def load(self, kind: Kind) -> dict[str, bytes]:
        """Return every document of a kind by key. Errors: Internal."""
        return await asyncio.get_running_loop().run_in_executor(self._lane, self._load, kind)

    async def apply(self, changes: Sequence[Change]) -> None:
        """Write all changes in one transaction, in order of call. Errors: Internal.

        A caller that is cancelled meanwhile leaves its changes to be written all the same.
        """
        if not changes:
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((changes, done))
        if self._writer is None:
            self._writer = asyncio.create_task(self._drain(), name="records.writer")
        await done

    async def close(self) -> None:
        """Finish what was asked for, then close the file; fine if closed."""
        while self._writer is not None:
            await asyncio.wait([self._writer])
        await asyncio.to_thread(self._close)

    async def _drain(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                group, self._waiting = self._waiting, []
                changes = [change for part, _ in group for change in part]
                failure: Internal | None = None
                try:
                    await loop.run_in_executor(self._lane, self._write, changes)
                except Internal as error:
                    failure = error
                for _, done in group:
                    _settle(done, failure)
        finally:
            self._writer = None

    def _load(self, kind: Kind) -> dict[str, bytes]:
        try:
            with self._connection.begin():
                rows = self._connection.exec_driver_sql(
                    "SELECT key, document FROM records WHERE kind = ?", (kind,)
                )
                return {key: bytes(document) for key, document in rows}
        except SQLAlchemyError as error:
            raise _unusable(self._engine, error) from error

    def _write(self, changes: Sequence[Change]) -> None:
        """Write in order, on a full disk with what was held back for that."""
        try:
            try:
                self._commit(changes)
            except OperationalError as error:
                if not (_is_full(error) and self._reserve.give()):
                    raise
                log.warning("records.disk_full", path=self._engine.url.database)
                self._commit(changes)
        except SQLAlchemyError as error:
            raise _unusable(self._engine, error) from error
        self._reserve.hold()

    def _commit(self, changes: Sequence[Change]) -> None:
        """Write all or nothing; runs of equal kind go as one statement with many rows."""
        with self._connection.begin():
            for statement, rows in _batches(changes):
                self._connection.exec_driver_sql(statement, rows)

    def _close(self) -> None:
        self._lane.shutdown(wait=True)
        self._connection.close()
        self._engine.dispose()


async def open_records(path: Path) -> DatabaseRecords:
    """Open the database, made or migrated as needed.

    Errors:  Internal when the file is damaged, from a newer Skep, or cannot be opened. The file
             is left as it was: what it holds may still be rescued.
    """
    lane = ThreadPoolExecutor(max_workers=1, thread_name_prefix="records")
    try:
        engine, connection = await asyncio.get_running_loop().run_in_executor(lane, _open, path)
    except BaseException:
        lane.shutdown(wait=False)
        raise
    return DatabaseRecords(engine, connection, lane)


def _open(path: Path) -> tuple[Engine, Connection]:
    # The lane hands the one connection to no other thread at the same time, so the driver's
    # own check of threads, which would forbid closing from elsewhere, is off.
    engine = create_engine(f"sqlite:///{path}", connect_args={"check_same_thread": False})
    event.listen(engine, "connect", _prepare)
    try:
        path.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
        path.touch(mode=0o600, exist_ok=True)
        connection = engine.connect()
        with connection.begin():
            verdict = connection.execute(text("PRAGMA quick_check(1)")).scalar_one()
            if verdict != "ok":
                raise _damaged(path, str(verdict))
            migrate(connection)
    except Internal:
        engine.dispose()
        raise
    except (SQLAlchemyError, OSError) as error:
        engine.dispose()
        raise _unusable(engine, error) from error
    return engine, connection


def _prepare(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout = {_BUSY_TIMEOUT_MS}",
        "journal_mode = WAL",
        "synchronous = NORMAL",
        "wal_autocheckpoint = 2000",
        "cache_size = -4000",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _batches(changes: Sequence[Change]) -> list[tuple[str, list[tuple[Any, ...]]]]:
    batches: list[tuple[str, list[tuple[Any, ...]]]] = []
    for change in changes:
        row: tuple[Any, ...]
        statement, row = _UPSERT, (change.kind, change.key, change.document)
        if change.document is None:
            statement, row = _DELETE, row[:2]
        if batches and batches[-1][0] == statement:
            batches[-1][1].append(row)
        else:
            batches.append((statement, [row]))
    return batches


def _settle(done: asyncio.Future[None], failure: Internal | None) -> None:
    if done.done():  # the caller was cancelled
        return
    if failure is None:
        done.set_result(None)
    else:
        done.set_exception(failure)


def _is_full(error: DBAPIError) -> bool:
    return getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL


def _damaged(path: Path | str, what: str) -> Internal:
    msg = (
        f"the engine's database {path} is damaged ({what}). Nothing was changed: bring the file "
        "back from a backup, or move it and its -wal and -shm files away to start without any "
        "containers, images and volumes known"
    )
    return Internal(msg)


def _unusable(engine: Engine, error: Exception) -> Internal:
    path = engine.url.database or ""
    reason = str(error.orig) if isinstance(error, DBAPIError) else str(error)
    if "malformed" in reason or "not a database" in reason:
        return _damaged(path, reason)
    if isinstance(error, DBAPIError) and _is_full(error):
        return Internal(f"no space left on device: the engine's database {path} cannot grow")
    return Internal(f"the engine's database {path} failed: {reason}")
