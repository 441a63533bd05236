"""Make raft.db, or open it after making sure that it is what was written.

Whatever does not fit is refused, with the file's name and what to do: a log that forgets what it
once acknowledged breaks consensus for the whole cluster, and one manager more or less does not.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from sqlalchemy import Connection, inspect
from sqlalchemy.exc import SQLAlchemyError

from manager.adapters.raft_file import RaftFile, connect
from manager.adapters.raft_mark import Mark, MarkDamaged, MarkTaken, create_mark
from manager.adapters.raft_records import Damaged, Records, StateRecord
from manager.adapters.raft_tables import STATE, NewerSchema, migrate, refuse_newer
from manager.core.raft.messages import Entry, EntryId
from manager.ports.cipher import CannotOpen
from manager.ports.log import LogDamaged, LogFailed, Stored, StoredSnapshot


def create_file(path: Path, records: Records, raft_id: int) -> None:
    """Make an empty log for a member. One whose making was interrupted is made anew.

    Errors:  LogDamaged when there is one already, LogFailed when it cannot be written.
    """
    if has_file(path):
        raise LogDamaged(f"the raft log {path} exists already: it is not overwritten")
    try:
        for leftover in (path, *_companions(path)):
            leftover.unlink(missing_ok=True)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        create_mark(_mark_path(path))
        path.touch(mode=0o600)
        engine = connect(path, "rwc")
        try:
            with engine.begin() as connection:
                migrate(connection)
                payload, checksum = records.seal_state(StateRecord(raft_id=raft_id))
                connection.execute(STATE.insert().values(id=1, payload=payload, checksum=checksum))
        finally:
            engine.dispose()
        _sync_directory(path.parent)
    except (SQLAlchemyError, OSError) as error:
        raise LogFailed(f"the raft log {path} cannot be made: {reason(error)}") from error


def has_file(path: Path) -> bool:
    """Tell whether there is a log, whole or damaged; what an interrupted making left is none."""
    if not path.exists():
        return False
    engine = connect(path, "ro")
    try:
        with engine.connect() as connection:
            if not inspect(connection).has_table(STATE.name):
                return False
            return connection.exec_driver_sql("SELECT 1 FROM state").first() is not None
    except SQLAlchemyError:
        return True
    finally:
        engine.dispose()


def open_file(path: Path, records: Records) -> tuple[RaftFile, Stored]:
    """Open and verify a log; return it with all that is in it but the snapshot's pieces.

    Errors:  LogDamaged; the file is as it was then.
    """
    with _refusing(path):
        if not path.exists():
            raise Damaged("is missing")
        if not _mark_path(path).exists():
            raise Damaged(f"lacks its companion {_mark_path(path)}")
        mark = Mark(_mark_path(path))
        try:
            state, stored = _verify(path, records, mark)
            return _open(path, records, mark, state), stored
        except BaseException:
            mark.close()
            raise


def reason(error: Exception) -> str:
    """Return what went wrong, in the words of who noticed."""
    return str(getattr(error, "orig", None) or error)


def _verify(path: Path, records: Records, mark: Mark) -> tuple[StateRecord, Stored]:
    """Read everything, and write nothing: not even a write-ahead log is merged."""
    engine = connect(path, "ro")
    with engine.connect() as connection:
        verdict = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
        if verdict != "ok":
            raise Damaged(f"is damaged ({verdict})")
        refuse_newer(connection)
        state, stored = _read(connection, records)
    if state.sequence < mark.read():
        raise Damaged("has lost records that were acknowledged")
    return state, stored


def _open(path: Path, records: Records, mark: Mark, state: StateRecord) -> RaftFile:
    """Open for writing, and take away what an interrupted snapshot left."""
    engine = connect(path, "rw")
    connection = engine.connect()
    try:
        with connection.begin():
            migrate(connection)
            for statement in ("DELETE FROM snapshot", "DELETE FROM piece"):
                connection.exec_driver_sql(f"{statement} WHERE handle != ?", (state.snapshot,))
        mark.write(state.sequence)
        return RaftFile(engine, connection, records, mark, state)
    except BaseException:
        connection.close()
        raise


def _read(connection: Connection, records: Records) -> tuple[StateRecord, Stored]:
    row = connection.exec_driver_sql("SELECT payload, checksum FROM state").one_or_none()
    if row is None:
        raise Damaged("has no state")
    state = records.open_state(*row)
    entries = list(_read_entries(connection, records, state))
    snapshot = _read_snapshot(connection, records, state.snapshot)
    _check(state, entries, snapshot)
    start = EntryId(index=state.start_index, term=state.start_term)
    return state, Stored(state.raft_id, state.hard_state, start, entries, snapshot)


def _read_entries(connection: Connection, records: Records, state: StateRecord) -> Iterator[Entry]:
    expected, term = state.start_index + 1, state.start_term
    rows = connection.exec_driver_sql(
        "SELECT position, term, kind, payload, checksum FROM log ORDER BY position"
    )
    for row in rows:
        entry = records.open_entry(*row)
        if entry.index != expected:
            raise Damaged(f"lacks entry {expected}")
        if entry.term < term:
            raise Damaged(f"has entry {entry.index} of term {entry.term} after term {term}")
        expected, term = expected + 1, entry.term
        yield entry
    if (expected - 1, term) != (state.last_index, state.last_term):
        raise Damaged(f"ends at entry {expected - 1} and not at {state.last_index}")


def _read_snapshot(connection: Connection, records: Records, handle: int) -> StoredSnapshot:
    if not handle:
        return StoredSnapshot()
    row = connection.exec_driver_sql(
        "SELECT payload, checksum FROM snapshot WHERE handle = ?", (handle,)
    ).one_or_none()
    if row is None:
        raise Damaged("lacks its snapshot")
    record = records.open_snapshot(handle, *row)
    found = connection.exec_driver_sql(
        "SELECT count(*) FROM piece WHERE handle = ?", (handle,)
    ).scalar_one()
    if found != record.pieces:
        raise Damaged(f"has {found} of the {record.pieces} pieces of its snapshot")
    return StoredSnapshot(record.meta, record.about, record.pieces, handle)


def _check(state: StateRecord, entries: list[Entry], snapshot: StoredSnapshot) -> None:
    """Refuse parts that are whole each but contradict one another. Errors: Damaged."""
    index = snapshot.meta.index
    if not state.start_index <= index <= state.last_index:
        raise Damaged(
            f"has a snapshot of entry {index}, but entries {state.start_index + 1} to "
            f"{state.last_index}"
        )
    place = index - state.start_index
    term = entries[place - 1].term if place else state.start_term
    if term != snapshot.meta.term:
        raise Damaged(f"has term {term} at entry {index}, its snapshot {snapshot.meta.term}")
    if state.hard_state.commit > state.last_index:
        raise Damaged(f"has {state.hard_state.commit} committed entries but {state.last_index}")
    if state.hard_state.term < state.last_term:
        raise Damaged(f"has term {state.hard_state.term} but entries of term {state.last_term}")


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    """Turn whatever is wrong into an error that names the file and says what to do."""
    try:
        yield
    except MarkTaken as error:
        raise LogDamaged(f"the raft log {path} is in use by another process") from error
    except MarkDamaged as error:
        raise _refused(path, f"has a damaged companion {_mark_path(path)}") from error
    except NewerSchema as error:
        raise LogDamaged(f"the raft log {path} is of a newer release: {error}") from error
    except CannotOpen as error:
        raise LogDamaged(
            f"the raft log {path} was sealed by a key that this manager does not have: bring back "
            "the keys that belong to it"
        ) from error
    except msgspec.DecodeError as error:
        raise _refused(path, f"holds what this release cannot read ({error})") from error
    except Damaged as error:
        raise _refused(path, str(error)) from error
    except (SQLAlchemyError, OSError) as error:
        raise _refused(path, f"cannot be read ({reason(error)})") from error


def _refused(path: Path, what: str) -> LogDamaged:
    return LogDamaged(
        f"the raft log {path} {what}. Nothing was changed. Bring the file, its -wal and its -mark "
        "back as they were; or, if other managers are alive, remove this one from the swarm there, "
        f"delete {path.parent} and let the node join again"
    )


def _mark_path(path: Path) -> Path:
    return path.with_name(f"{path.name}-mark")


def _companions(path: Path) -> list[Path]:
    return [path.with_name(f"{path.name}{suffix}") for suffix in ("-wal", "-shm", "-mark")]


def _sync_directory(path: Path) -> None:
    directory = os.open(path, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
