"""What only the real database has: a file that survives, and may be damaged."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, text

from api.errors import Internal
from engine.adapters.database import open_records
from engine.adapters.migrate import STEPS, migrate
from engine.ports.records import Change

_WRITE_FOREVER = """
import asyncio, sys
from pathlib import Path
from engine.adapters.database import open_records
from engine.ports.records import Change

async def main():
    records = await open_records(Path(sys.argv[1]))
    turn = 0
    while True:
        turn += 1
        await records.apply([Change("volume", str(turn), b"x"), Change("image", str(turn), b"x")])
        print(turn, flush=True)

asyncio.run(main())
"""


async def test_records_survive_reopening(tmp_path: Path) -> None:
    first = await open_records(tmp_path / "engine.db")
    await first.apply([Change("volume", "data", b"{}")])
    await first.close()

    second = await open_records(tmp_path / "engine.db")

    assert {"data": b"{}"} == await second.load("volume")
    await second.close()


async def test_acknowledged_records_survive_sigkill(tmp_path: Path) -> None:
    """What `apply` returned from is there, and no transaction is there by half."""
    path = tmp_path / "engine.db"
    writer = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _WRITE_FOREVER, str(path), stdout=asyncio.subprocess.PIPE
    )
    assert writer.stdout is not None
    acknowledged = 0
    while acknowledged < 300:
        acknowledged = int(await writer.stdout.readline())
    writer.send_signal(signal.SIGKILL)
    await writer.communicate()

    records = await open_records(path)
    volumes, images = await records.load("volume"), await records.load("image")

    assert {str(turn) for turn in range(1, acknowledged + 1)} <= set(volumes)
    assert set(volumes) == set(images)
    await records.close()


async def test_cancelled_caller_does_not_lose_its_change(tmp_path: Path) -> None:
    records = await open_records(tmp_path / "engine.db")
    caller = asyncio.create_task(records.apply([Change("volume", "data", b"{}")]))
    await asyncio.sleep(0)

    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    await records.apply([Change("volume", "other", b"{}")])

    assert {"data", "other"} == set(await records.load("volume"))
    await records.close()


@pytest.mark.parametrize("damage", [b"not a database at all, but long enough" * 200, b"\0" * 9000])
async def test_damaged_file_is_refused_and_kept(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "engine.db"
    path.write_bytes(damage)

    with pytest.raises(Internal, match=f"{path} is damaged"):
        await open_records(path)

    assert damage == path.read_bytes()


async def test_damage_inside_is_found_at_start(tmp_path: Path) -> None:
    path = tmp_path / "engine.db"
    records = await open_records(path)
    await records.apply([Change("image", str(turn), b"x" * 3000) for turn in range(100)])
    await records.close()
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(os.urandom(20_000))

    with pytest.raises(Internal, match="damaged"):
        await open_records(path)


async def test_database_of_newer_release_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "engine.db"
    await (await open_records(path)).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE schema SET version = 99")

    with pytest.raises(Internal, match="run the newer Skep"):
        await open_records(path)


async def test_missing_steps_are_applied_once(tmp_path: Path) -> None:
    def second_step(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE later (x INTEGER)"))

    path = tmp_path / "engine.db"
    records = await open_records(path)
    await records.apply([Change("volume", "data", b"{}")])
    await records.close()
    engine = create_engine(f"sqlite:///{path}")
    steps = (*STEPS, second_step)
    with engine.begin() as connection:
        assert 2 == migrate(connection, steps)
        assert 2 == migrate(connection, steps)
        assert 1 == connection.execute(text("SELECT count(*) FROM records")).scalar_one()
    engine.dispose()


async def test_unwritable_place_is_told(tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.write_text("in the way")

    with pytest.raises(Internal, match=r"engine\.db failed"):
        await open_records(place / "engine.db")


async def test_database_is_for_its_owner_only(tmp_path: Path) -> None:
    await (await open_records(tmp_path / "engine.db")).close()

    assert 0o600 == (tmp_path / "engine.db").stat().st_mode & 0o777
