"""Reading logs on a real disk while they grow and are rotated."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.adapters.log_files import DiskLogFiles
from engine.ports.logs import LogCursor, LogFiles

PREFIX = b"2024-01-01T00:00:00.000000000+00:00 stdout F "


@pytest.fixture
async def files() -> AsyncIterator[LogFiles]:
    """Give the adapter, and close it."""
    adapter = DiskLogFiles()
    yield adapter
    adapter.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the log is, or will be."""
    return tmp_path / "container.log"


def lines(*texts: str) -> bytes:
    """Return records."""
    return b"".join(PREFIX + text.encode() + b"\n" for text in texts)


def append(path: Path, data: bytes) -> None:
    """Write as the monitor does."""
    with path.open("ab") as log:
        log.write(data)


def rotate(path: Path) -> Path:
    """Rename as a rotation does."""
    return path.rename(f"{path}.1")


async def read_all(cursor: LogCursor) -> bytes:
    """Read to the present end."""
    parts = []
    while (part := await cursor.read(lambda block: block)) is not None:
        parts.append(part)
    return b"".join(parts)


async def test_a_missing_log_is_empty(files: LogFiles, path: Path) -> None:
    """A container that never ran has none."""
    cursor = await files.open(path, follow=False)

    assert await cursor.read(lambda block: block) is None
    cursor.close()


async def test_rotated_files_are_read_oldest_first(files: LogFiles, path: Path) -> None:
    """One log in several files is one log."""
    for name, text in ((".10", "a"), (".2", "b"), (".1", "c"), ("", "d")):
        append(Path(f"{path}{name}"), lines(text))

    cursor = await files.open(path, follow=False)

    assert await read_all(cursor) == lines("a", "b", "c", "d")
    cursor.close()


@pytest.mark.parametrize(("count", "kept"), [(1, "e"), (2, "de"), (4, "bcde"), (9, "abcde")])
async def test_tail_reaches_back_over_rotation(
    files: LogFiles, path: Path, count: int, kept: str
) -> None:
    """A rotation a moment ago must not hide the last lines."""
    append(Path(f"{path}.2"), lines("a", "b"))
    append(Path(f"{path}.1"), lines("c", "d"))
    append(path, lines("e"))
    cursor = await files.open(path, follow=False)

    await cursor.seek_tail(count)

    assert await read_all(cursor) == lines(*kept)
    cursor.close()


async def test_growth_wakes_the_follower(files: LogFiles, path: Path) -> None:
    """Without polling."""
    append(path, lines("a"))
    cursor = await files.open(path, follow=True)
    await read_all(cursor)
    waiting = asyncio.create_task(cursor.changed(10))

    append(path, lines("b"))
    await waiting

    assert await read_all(cursor) == lines("b")
    cursor.close()


async def test_follower_survives_rotation_without_loss(files: LogFiles, path: Path) -> None:
    """The monitor writes to the renamed file until it opens the new one."""
    append(path, lines("a"))
    cursor = await files.open(path, follow=True)
    await read_all(cursor)
    old = rotate(path)
    append(old, lines("b"))
    waiting = asyncio.create_task(cursor.changed(10))

    append(path, lines("c"))
    await waiting

    assert await read_all(cursor) == lines("b", "c")
    cursor.close()


async def test_several_followers_of_one_log(files: LogFiles, path: Path) -> None:
    """One leaving does not deafen the other."""
    append(path, lines("a"))
    first = await files.open(path, follow=True)
    second = await files.open(path, follow=True)
    first.close()
    await read_all(second)
    waiting = asyncio.create_task(second.changed(10))

    append(path, lines("b"))
    await waiting

    assert await read_all(second) == lines("b")
    second.close()


async def test_changed_returns_when_the_time_is_over_and_when_woken(
    files: LogFiles, path: Path
) -> None:
    """`until` in the future, and a container's exit, end the wait."""
    cursor = await files.open(path, follow=True)

    await cursor.changed(0.001)
    cursor.wake()
    await cursor.changed(10)

    cursor.close()


async def test_a_link_in_the_logs_place_is_not_followed(
    files: LogFiles, path: Path, tmp_path: Path
) -> None:
    """A log path swapped for a link must not show another file of the host."""
    secret = tmp_path / "secret"
    append(secret, lines("secret"))
    os.symlink(secret, path)

    cursor = await files.open(path, follow=False)

    assert await cursor.read(lambda block: block) is None
    cursor.close()
