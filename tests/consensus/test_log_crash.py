"""A log whose writer is killed at any moment holds all that was acknowledged, and nothing else."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from manager.adapters.raft_log import open_log
from manager.core.raft.messages import SnapshotMeta
from manager.ports.log import Stored
from tests.consensus.log_model import Model, after, at, pieces
from tests.fakes.cipher import OneKeyCipher

WRITES = "pwrite64,write,fsync,fdatasync,ftruncate,unlink"
needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")


def writer(path: Path, count: int) -> list[str]:
    """Return the command that writes a number of steps."""
    return [sys.executable, "-m", "tests.consensus.log_writer", str(path), str(count)]


def acknowledged(output: bytes) -> int:
    """Return the last step that the writer told of."""
    return int((output.split() or [b"0"])[-1])


async def read(path: Path) -> tuple[Stored, list[bytes]]:
    """Open the log; return it with the snapshot's pieces."""
    log, stored = await open_log(path, OneKeyCipher())
    try:
        found = [
            await log.read_piece(stored.snapshot.handle, n) for n in range(stored.snapshot.pieces)
        ]
    finally:
        await log.close()
    return stored, found


def check(path: Path, told: int) -> int:
    """Fail unless the log holds what was told, or half of the step after; return its step."""
    stored, found = asyncio.run(read(path))
    step = stored.hard_state.vote
    assert told <= step <= told + 1, "acknowledged steps are there, and no more than one besides"
    before, following = at(step), after(at(step))
    assert stored.snapshot.meta in (before.snapshot, following.snapshot)
    assert (
        before.start.index <= stored.start.index <= max(following.start.index, before.start.index)
    )
    expected = before.compacted(stored.start.index)
    assert expected == Model(step, stored.start, tuple(stored.entries), before.snapshot)
    if stored.snapshot.meta != SnapshotMeta():
        assert pieces(stored.snapshot.meta) == found
    return step


def test_killed_at_random_it_loses_nothing(tmp_path: Path) -> None:
    """One log lives through many kills, each after a few more acknowledged steps."""
    path = tmp_path / "raft.db"
    told = 0
    for round_ in range(8):
        with subprocess.Popen(writer(path, 10**6), stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(3 + 17 * round_ % 40)]
            process.kill()
            lines.append(process.stdout.read())
        assert b"\n" in b"".join(lines), "the writer ended by itself"
        told = check(path, max(told, acknowledged(b"".join(lines))))


@needs_strace
@pytest.mark.parametrize("call", ["pwrite64", "fdatasync", "fsync"])
def test_killed_at_the_nth_call_it_loses_nothing(tmp_path: Path, call: str) -> None:
    """Each call that reaches the disk is once the last one: steps 1 to 45 have all kinds."""
    for nth in range(1, 200, 23):
        path = tmp_path / f"{nth}" / "raft.db"
        killed = trace(path, 45, f"inject={call}:signal=KILL:when={nth}")
        told = acknowledged(killed.stdout)
        if killed.returncode == 0:
            assert 45 == told
            break
        if told == 0:  # killed while it was made, perhaps: then it can be made again
            subprocess.run(writer(path, 3), check=True, stdout=subprocess.DEVNULL, timeout=60)
        else:
            check(path, told)


def trace(path: Path, steps: int, *options: str) -> subprocess.CompletedProcess[bytes]:
    """Run the writer under strace; what it saw is on stderr."""
    command = ["strace", "-f", "-qq", "-y", "-e", f"trace={WRITES}"]
    for option in options:
        command += ["-e", option]
    return subprocess.run(
        [*command, *writer(path, steps)], capture_output=True, check=False, timeout=60
    )


@needs_strace
def test_no_acknowledgement_leaves_before_its_fsync(tmp_path: Path) -> None:
    """Between the last write to the write-ahead log and the word of it, there is a sync."""
    seen = trace(tmp_path / "raft.db", 40).stderr.decode()

    unsynced = None
    told = 0
    for line in seen.splitlines():
        if re.search(r"pwrite64\(\d+<[^>]*raft.db-wal>", line):
            unsynced = line
        elif re.search(r"(fsync|fdatasync)\(\d+<[^>]*raft.db-wal>", line):
            unsynced = None
        elif re.search(r'write\(1<[^>]*>, "\d+\\n"', line):
            told += 1
            assert unsynced is None, "acknowledged before its fsync"
    assert 40 == told


@needs_strace
@pytest.mark.parametrize(
    "fault",
    ["pwrite64:error=ENOSPC:when=20+", "fdatasync:error=EIO:when=20+", "fsync:error=EIO:when=1+"],
)
def test_failed_write_or_fsync_ends_the_writer(tmp_path: Path, fault: str) -> None:
    """It is never tried again: the kernel may have dropped what it could not write.

    Commits are synced by fdatasync; fsync comes with the first checkpoint.
    """
    path = tmp_path / "raft.db"
    first = subprocess.run(writer(path, 5), capture_output=True, check=True, timeout=60)
    assert 5 == acknowledged(first.stdout)

    ended = trace(path, 800, f"inject={fault}")

    assert ended.returncode not in (0, -9)
    assert b"LogFailed" in ended.stderr
    check(path, max(5, acknowledged(ended.stdout)))


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """Lend a file system of 3 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "skep-small", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system")
def test_full_disk_ends_the_writer_and_room_brings_it_back(small: Path) -> None:
    path = small / "swarm" / "raft.db"

    ended = subprocess.run(writer(path, 10**6), capture_output=True, check=False, timeout=100)

    assert 1 == ended.returncode
    assert b"LogFailed: the raft log" in ended.stderr
    told = acknowledged(ended.stdout)
    subprocess.run(["mount", "-o", "remount,size=30m", small], check=True)
    assert told > 20
    check(path, told)
    subprocess.run(writer(path, 5), check=True, stdout=subprocess.DEVNULL, timeout=60)
