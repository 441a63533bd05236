"""Rotation of log files on disk, step by step, and what a reader sees of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.adapters.log_files import DiskLogFiles
from engine.adapters.log_rotator import DiskLogRotator


@pytest.fixture
async def files() -> AsyncIterator[tuple[DiskLogFiles, DiskLogRotator]]:
    """Return a reader and a rotator that know of one another."""
    renaming = threading.Lock()
    reader, rotator = DiskLogFiles(renaming), DiskLogRotator(renaming)
    yield reader, rotator
    reader.close()
    rotator.close()


async def _rotated(rotator: DiskLogRotator, path: Path, text: str, **how: object) -> None:
    """Write a log, set it aside, and do what the monitor does."""
    _write(path, text)
    await rotator.set_aside(path)
    assert await rotator.is_due(path)
    path.with_name(f"{path.name}.tmp").rename(path)
    assert not await rotator.is_due(path)
    await rotator.settle(path, int(str(how.get("keep", 9))), compress=bool(how.get("compress")))


def _write(path: Path, text: str) -> None:
    path.write_text(text)


def _names(directory: Path) -> set[str]:
    return {each.name for each in directory.iterdir()}


async def _read_all(reader: DiskLogFiles, path: Path) -> str:
    cursor = await reader.open(path, follow=False)
    parts = []
    try:
        while (part := await cursor.read(bytes)) is not None:
            parts.append(part)
    finally:
        cursor.close()
    return b"".join(parts).decode()


async def test_files_are_read_oldest_first(
    files: tuple[DiskLogFiles, DiskLogRotator], tmp_path: Path
) -> None:
    """Compressed and plain in one row."""
    reader, rotator = files
    path = tmp_path / "x.log"
    await _rotated(rotator, path, "one\n", compress=True)
    await _rotated(rotator, path, "two\n")
    path.write_text("three\n")

    assert await _read_all(reader, path) == "one\ntwo\nthree\n"
    assert {"x.log", "x.log.1", "x.log.2.gz"} == _names(tmp_path)


async def test_only_the_newest_are_kept(
    files: tuple[DiskLogFiles, DiskLogRotator], tmp_path: Path
) -> None:
    """`max-file` of three is two aside."""
    _, rotator = files
    path = tmp_path / "x.log"
    for text in ("one\n", "two\n", "three\n"):
        await _rotated(rotator, path, text, keep=2)

    assert (path.with_name("x.log.1").read_text(), path.with_name("x.log.2").read_text()) == (
        "three\n",
        "two\n",
    )
    assert not path.with_name("x.log.3").exists()


async def test_a_gap_in_the_row_is_filled_first(
    files: tuple[DiskLogFiles, DiskLogRotator], tmp_path: Path
) -> None:
    """What a crash between two renames leaves."""
    reader, rotator = files
    path = tmp_path / "x.log"
    path.with_name("x.log.3").write_text("old\n")
    path.with_name("x.log.1").write_text("new\n")

    await _rotated(rotator, path, "newest\n")

    assert path.with_name("x.log.2").read_text() == "new\n"
    assert await _read_all(reader, path) == "old\nnew\nnewest\n"


async def test_a_reader_goes_on_where_it_was_though_its_file_was_compressed(
    files: tuple[DiskLogFiles, DiskLogRotator], tmp_path: Path
) -> None:
    """Nothing twice, nothing left out."""
    reader, rotator = files
    path = tmp_path / "x.log"
    await _rotated(rotator, path, "zero\n", compress=True)
    path.write_text("one\n")
    cursor = await reader.open(path, follow=True)
    while await cursor.read(bytes) is not None:
        pass

    await _rotated(rotator, path, "one\nmore\n", compress=True)
    await _rotated(rotator, path, "two\n", compress=True)
    path.write_text("three\n")

    parts = []
    while (part := await cursor.read(bytes)) is not None:
        parts.append(part)
    cursor.close()
    assert b"".join(parts) == b"more\ntwo\nthree\n"


async def test_a_cut_compression_is_read_once(
    files: tuple[DiskLogFiles, DiskLogRotator], tmp_path: Path
) -> None:
    """A crash between the two last steps leaves both files."""
    reader, rotator = files
    path = tmp_path / "x.log"
    await _rotated(rotator, path, "one\n", compress=True)
    path.with_name("x.log.1").write_text("one\n")
    path.with_name("x.log.1.gz.tmp").write_text("rubbish")

    assert await _read_all(reader, path) == "one\n"


async def test_a_damaged_file_does_not_hide_the_others(
    files: tuple[DiskLogFiles, DiskLogRotator], tmp_path: Path
) -> None:
    """After a power cut."""
    reader, _ = files
    path = tmp_path / "x.log"
    path.with_name("x.log.1.gz").write_bytes(b"\x1f\x8brubbish")
    path.write_text("now\n")

    assert await _read_all(reader, path) == "now\n"


async def test_what_the_monitors_end_cut_is_cleared_away(
    files: tuple[DiskLogFiles, DiskLogRotator], tmp_path: Path
) -> None:
    """As many files as asked for, and no more."""
    _, rotator = files
    path = tmp_path / "x.log"
    await _rotated(rotator, path, "one\n")
    path.write_text("two\n")
    await rotator.set_aside(path)

    await rotator.finish(path, 1)

    assert _names(tmp_path) == {"x.log.1"}
    assert path.with_name("x.log.1").read_text() == "two\n"


@pytest.mark.parametrize(
    ("lines", "expected"), [(0, ""), (1, "P2F3"), (2, "F1P2F3"), (9, "F1P2F3")]
)
async def test_the_tail_counts_a_line_across_two_files_once(
    files: tuple[DiskLogFiles, DiskLogRotator], tmp_path: Path, lines: int, expected: str
) -> None:
    """A line longer than the monitor's buffer, with a rotation in its middle."""
    reader, rotator = files
    path = tmp_path / "x.log"
    stamp = "2024-01-01T00:00:00.000000000+00:00 stdout"
    await _rotated(rotator, path, f"{stamp} F 1\n{stamp} P 2\n", compress=True)
    _write(path, f"{stamp} F 3\n")

    cursor = await reader.open(path, follow=False)
    await cursor.seek_tail(lines)
    parts = []
    while (part := await cursor.read(bytes)) is not None:
        parts.append(part)
    cursor.close()

    told = b"".join(parts).decode().replace(stamp, "").replace(" ", "").replace("\n", "")
    assert told == expected


async def test_growth_is_told_once_asked_for(
    files: tuple[DiskLogFiles, DiskLogRotator], tmp_path: Path
) -> None:
    """And a cancelled wait leaves none behind for the next."""
    _, rotator = files
    path = tmp_path / "x.log"
    path.touch()
    rotator.expect_growth(path).cancel()
    grown = rotator.expect_growth(path)

    with path.open("a") as log:
        log.write("x")

    async with asyncio.timeout(5):
        await grown
