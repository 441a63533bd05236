"""The raft log: what was written is read back, and what contradicts itself is refused."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from manager.adapters.raft_log import RaftLog, create_log, open_log
from manager.core.raft.messages import (
    ConfState,
    Entry,
    EntryId,
    EntryKind,
    HardState,
    SnapshotMeta,
)
from manager.ports.cipher import CannotOpen
from manager.ports.log import Batch, LogDamaged, LogFailed, Stored, StoredSnapshot
from tests.fakes.cipher import OneKeyCipher

RAFT_ID = 2**64 - 17
CONF = ConfState(voters=(1, RAFT_ID))


def entries(first: int, last: int, term: int = 1) -> list[Entry]:
    """Return entries first to last."""
    return [Entry(term=term, index=n, data=b"entry %d" % n) for n in range(first, last + 1)]


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """Lend the path of an empty log."""
    path = tmp_path / "swarm" / "raft.db"
    await create_log(path, OneKeyCipher(), RAFT_ID)
    return path


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[tuple[RaftLog, Stored]]:
    """Open the log for the time of a block."""
    log, stored = await open_log(path, OneKeyCipher())
    try:
        yield log, stored
    finally:
        await log.close()


async def read(path: Path) -> Stored:
    """Return what a fresh start would find."""
    async with opened(path) as (_, stored):
        return stored


async def take_snapshot(log: RaftLog, index: int, pieces: Sequence[bytes]) -> StoredSnapshot:
    """Store and keep a snapshot as of an entry of term 1."""
    handle = await log.stage()
    for number, piece in enumerate(pieces):
        await log.write_piece(handle, number, piece)
    meta = SnapshotMeta(index=index, term=1, conf=CONF)
    snapshot = StoredSnapshot(meta=meta, about=b"roster", pieces=len(pieces), handle=handle)
    await log.keep(snapshot)
    return snapshot


async def test_new_log_is_empty_and_knows_its_member(path: Path) -> None:
    stored = await read(path)

    assert RAFT_ID == stored.raft_id
    assert stored.is_empty


async def test_what_was_written_is_read_back(path: Path) -> None:
    change = Entry(term=2, index=3, kind=EntryKind.CHANGE, data=b"change", key=b"the key")
    async with opened(path) as (log, _):
        await log.write(Batch(entries(1, 2), HardState(term=2, vote=RAFT_ID, commit=1)))
        await log.write(Batch([change]))

    stored = await read(path)

    assert [*entries(1, 2), change] == stored.entries
    assert HardState(term=2, vote=RAFT_ID, commit=1) == stored.hard_state


async def test_later_entries_replace_from_their_first_index_on(path: Path) -> None:
    async with opened(path) as (log, _):
        await log.write(Batch(entries(1, 9), HardState(term=1)))
        await log.write(Batch(entries(4, 5, term=2), HardState(term=2)))

    assert [*entries(1, 3), *entries(4, 5, term=2)] == (await read(path)).entries


async def test_snapshot_then_compaction_keeps_the_tail(path: Path) -> None:
    async with opened(path) as (log, _):
        await log.write(Batch(entries(1, 2000), HardState(term=1, commit=2000)))
        snapshot = await take_snapshot(log, 1900, [b"one", b"two"])
        await log.compact(EntryId(index=1500, term=1))

    async with opened(path) as (log, stored):
        assert EntryId(index=1500, term=1) == stored.start
        assert entries(1501, 2000) == stored.entries
        assert snapshot == stored.snapshot
        assert [b"one", b"two"] == [await log.read_piece(snapshot.handle, n) for n in range(2)]


async def test_received_snapshot_takes_the_place_of_the_log(path: Path) -> None:
    meta = SnapshotMeta(index=50, term=3, conf=CONF)
    async with opened(path) as (log, _):
        await log.write(Batch(entries(1, 9), HardState(term=1)))
        handle = await log.stage()
        await log.write_piece(handle, 0, b"state")
        snapshot = StoredSnapshot(meta=meta, pieces=1, handle=handle)
        after = Entry(term=3, index=51, data=b"after")
        await log.write(Batch([after], HardState(term=3, commit=50), snapshot))

    stored = await read(path)

    assert EntryId(index=50, term=3) == stored.start
    assert [after] == stored.entries
    assert snapshot == stored.snapshot


async def test_older_pieces_can_be_read_until_dropped(path: Path) -> None:
    """A snapshot on its way to a slow follower outlives the next one."""
    async with opened(path) as (log, _):
        await log.write(Batch(entries(1, 9), HardState(term=1)))
        old = await take_snapshot(log, 3, [b"x"] * 10)
        await take_snapshot(log, 6, [b"y"])

        assert b"x" == await log.read_piece(old.handle, 9)
        await log.drop(old.handle)

        with pytest.raises(LookupError):
            await log.read_piece(old.handle, 9)


async def test_pieces_of_an_unfinished_snapshot_are_gone_after_a_restart(path: Path) -> None:
    async with opened(path) as (log, _):
        await log.write(Batch(entries(1, 9), HardState(term=1)))
        handle = await log.stage()
        await log.write_piece(handle, 0, b"half")

    async with opened(path) as (log, stored):
        assert 0 == stored.snapshot.pieces
        with pytest.raises(LookupError):
            await log.read_piece(handle, 0)


async def test_making_a_log_where_one_is_is_refused(path: Path) -> None:
    with pytest.raises(LogDamaged, match=f"{path} exists already"):
        await create_log(path, OneKeyCipher(), 7)


async def test_interrupted_making_is_done_anew(tmp_path: Path) -> None:
    path = tmp_path / "raft.db"
    path.touch()
    (tmp_path / "raft.db-wal").write_bytes(b"half")

    await create_log(path, OneKeyCipher(), 7)

    assert 7 == (await read(path)).raft_id


async def test_missing_file_is_refused_and_not_made(path: Path) -> None:
    os.unlink(path)

    with pytest.raises(LogDamaged, match=rf"{path} is missing.*join again"):
        await open_log(path, OneKeyCipher())

    assert path.name not in os.listdir(path.parent)


async def test_two_processes_cannot_share_a_log(path: Path) -> None:
    async with opened(path):
        with pytest.raises(LogDamaged, match="in use by another process"):
            await open_log(path, OneKeyCipher())


async def test_another_key_is_named_as_the_reason(path: Path) -> None:
    with pytest.raises(LogDamaged, match="sealed by a key that this manager does not have"):
        await open_log(path, OneKeyCipher(b"o" * 32))


async def test_newer_schema_is_refused(path: Path) -> None:
    edit(path, "UPDATE schema SET version = 99")

    with pytest.raises(LogDamaged, match="newer release: it has version 99"):
        await open_log(path, OneKeyCipher())


async def test_resealed_log_needs_the_old_key_no_more(path: Path) -> None:
    async with opened(path) as (log, _):
        await log.write(Batch(entries(1, 400), HardState(term=1)))
        snapshot = await take_snapshot(log, 300, [b"one", b"two"])
    ring = TwoKeyCipher()
    log, _ = await open_log(path, ring)
    await log.write(Batch(entries(401, 402)))
    await log.reseal()
    await log.close()

    log, stored = await open_log(path, OneKeyCipher(ring.new))
    assert entries(1, 402) == stored.entries
    assert snapshot == stored.snapshot
    assert [b"one", b"two"] == [await log.read_piece(snapshot.handle, n) for n in range(2)]
    await log.close()


class TwoKeyCipher:
    """Seals by a new key, and opens what the old one sealed too."""

    new = b"n" * 32

    def seal(self, plain: bytes, associated: bytes) -> bytes:
        return OneKeyCipher(self.new).seal(plain, associated)

    def open(self, sealed: bytes, associated: bytes) -> bytes:
        try:
            return OneKeyCipher(self.new).open(sealed, associated)
        except CannotOpen:
            return OneKeyCipher().open(sealed, associated)


async def test_nothing_readable_is_on_disk(path: Path) -> None:
    async with opened(path) as (log, _):
        await log.write(Batch([Entry(term=1, index=1, data=b"secret")], HardState(term=1)))
        handle = await log.stage()
        await log.write_piece(handle, 0, b"secret")

    assert not any(b"secret" in file.read_bytes() for file in path.parent.iterdir())


def content(path: Path) -> bytes:
    """Return a file's bytes."""
    return path.read_bytes()


def edit(path: Path, statement: str) -> None:
    """Change the file as a bug or a curious operator would."""
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("DELETE FROM log WHERE position = 5", "lacks entry 5"),
        ("DELETE FROM log WHERE position = 9", "ends at entry 8 and not at 9"),
        ("DELETE FROM log WHERE position = 4", "lacks entry 4"),
        ("DELETE FROM log", "ends at entry 3 and not at 9"),
        ("UPDATE log SET term = 2 WHERE position = 5", "entry 5 is damaged"),
        ("UPDATE log SET payload = zeroblob(40) WHERE position = 5", "entry 5 is damaged"),
        ("UPDATE log SET position = 20 WHERE position = 9", "entry 20 is damaged"),
        ("UPDATE log SET payload = 'text' WHERE position = 9", "entry 9 is damaged"),
        ("DELETE FROM snapshot", "lacks its snapshot"),
        ("DELETE FROM piece WHERE number = 1", "has 1 of the 2 pieces"),
        ("UPDATE snapshot SET payload = zeroblob(9)", "the snapshot's head is damaged"),
        ("DELETE FROM state", "has no state"),
        ("UPDATE state SET checksum = 1", "the state is damaged"),
        ("DROP TABLE log", "no such table"),
    ],
)
async def test_damage_is_refused_by_name(path: Path, statement: str, words: str) -> None:
    async with opened(path) as (log, _):
        await log.write(Batch(entries(1, 9), HardState(term=1)))
        await take_snapshot(log, 6, [b"one", b"two"])
        await log.compact(EntryId(index=3, term=1))
    edit(path, statement)
    before = content(path)

    with pytest.raises(LogDamaged, match=words) as caught:
        await open_log(path, OneKeyCipher())

    assert str(path) in caught.value.message
    assert before == content(path)


async def test_records_swapped_with_one_another_are_refused(path: Path) -> None:
    """Each is whole by itself; what it was sealed with says where it belongs."""
    async with opened(path) as (log, _):
        await log.write(Batch(entries(1, 2), HardState(term=1)))
    edit(path, "UPDATE log SET position = 3 - position + 10")
    edit(path, "UPDATE log SET position = position - 10")

    with pytest.raises(LogDamaged, match="entry 1 is damaged"):
        await open_log(path, OneKeyCipher())


async def test_damaged_piece_is_refused_when_read(path: Path) -> None:
    async with opened(path) as (log, _):
        await log.write(Batch(entries(1, 9), HardState(term=1)))
        snapshot = await take_snapshot(log, 6, [b"one", b"two"])
    edit(path, "UPDATE piece SET payload = zeroblob(33) WHERE number = 1")

    async with opened(path) as (log, _):
        with pytest.raises(LogDamaged, match="piece 1 of the snapshot is damaged"):
            await log.read_piece(snapshot.handle, 1)


async def test_lost_write_ahead_log_is_noticed(path: Path) -> None:
    """SQLite itself would open without a word what came before it."""
    log, _ = await open_log(path, OneKeyCipher())
    await log.write(Batch(entries(1, 9), HardState(term=1)))
    copy = path.parent.with_name("copy")
    shutil.copytree(path.parent, copy)
    await log.close()
    (copy / "raft.db-wal").unlink()

    with pytest.raises(LogDamaged, match="has lost records that were acknowledged"):
        await open_log(copy / path.name, OneKeyCipher())


async def test_lost_mark_is_refused(path: Path) -> None:
    os.unlink(mark := path.with_name("raft.db-mark"))

    with pytest.raises(LogDamaged, match=f"lacks its companion {mark}"):
        await open_log(path, OneKeyCipher())


def test_damaged_mark_is_refused(path: Path) -> None:
    mark = path.with_name("raft.db-mark")
    mark.write_bytes(b"x" * mark.stat().st_size)

    with pytest.raises(LogDamaged, match=f"damaged companion {mark}"):
        asyncio.run(read(path))


async def test_every_flipped_byte_is_harmless_or_refused(path: Path) -> None:
    """A sample of all bytes of the database and of its write-ahead log."""
    log, _ = await open_log(path, OneKeyCipher())
    await log.write(Batch(entries(1, 40), HardState(term=1)))
    await take_snapshot(log, 30, [b"state" * 100] * 2)
    live = path.parent.with_name("live")
    shutil.copytree(path.parent, live)
    await log.close()
    expected = await read(path)

    for folder in (path.parent, live):
        for name in sorted(file.name for file in folder.iterdir() if file.suffix != ".db-shm"):
            await asyncio.to_thread(flip_all, folder, name, expected)


def flip_all(folder: Path, name: str, expected: Stored) -> None:
    """Open copies of a folder in which one byte of a file differs."""
    size = (folder / name).stat().st_size
    for offset in range(0, size, max(1, size // 60)):
        copy = folder.with_name("flipped")
        shutil.copytree(folder, copy)
        with (copy / name).open("r+b") as file:
            file.seek(offset)
            byte = file.read(1)[0]
            file.seek(offset)
            file.write(bytes([byte ^ 0x41]))
        try:
            found = asyncio.run(read(copy / "raft.db"))
        except LogDamaged:
            pass
        else:
            assert expected == found, f"byte {offset} of {name}"
        shutil.rmtree(copy)


async def test_first_failed_write_is_the_last(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a failure nobody knows what the disk has: nothing is retried, nothing acknowledged."""
    async with opened(path) as (log, _):
        monkeypatch.setattr(os, "pwrite", failing)
        with pytest.raises(LogFailed, match="No space left"):
            await log.write(Batch(entries(1, 1), HardState(term=1)))
        monkeypatch.undo()

        with pytest.raises(LogFailed, match="No space left"):
            await log.write(Batch(entries(2, 2), HardState(term=1)))


def failing(*_: object) -> int:
    """Fail as a full disk does."""
    raise OSError(28, "No space left on device")


async def test_write_ahead_log_stays_small_though_writes_never_pause(tmp_path: Path) -> None:
    """It is merged beside the writes; what they add meanwhile must not keep it from ending."""
    path = tmp_path / "raft.db"
    await create_log(path, OneKeyCipher(), RAFT_ID)
    log, _ = await open_log(path, OneKeyCipher())
    data = bytes(200_000)

    for index in range(1, 301):
        await log.write(Batch([Entry(term=1, index=index, data=data)], HardState(term=1)))
        if index % 20 == 0:
            await log.compact(EntryId(term=1, index=index - 10))

    largest = (tmp_path / "raft.db-wal").stat().st_size
    await log.close()
    assert largest < 30 << 20
