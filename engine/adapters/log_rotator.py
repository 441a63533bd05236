"""Rotation of logs on disk.

`X.tmp` stands beside `X` from before the rename until the monitor reopened: conmon opens that
name, creating it where it is missing, and renames it to `X`. Made beforehand, it keeps a full disk
from ending the monitor; and its presence tells a rotation that was cut short.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from api.errors import Internal
from engine.adapters.log_growth import LogGrowth
from engine.adapters.log_segments import aside_numbers, compress

T = TypeVar("T")

_LANE_THREADS = 2
_LOG_MODE = 0o640


class DiskLogRotator:
    """Fulfils `LogRotator`; readers that hold `renaming` see the files between two renames."""

    def __init__(self, renaming: threading.Lock) -> None:
        self._renaming = renaming
        self._growth = LogGrowth()
        self._looks = ThreadPoolExecutor(_LANE_THREADS, thread_name_prefix="log-size")
        self._folds = ThreadPoolExecutor(_LANE_THREADS, thread_name_prefix="log-fold")

    def expect_growth(self, path: Path) -> asyncio.Future[None]:
        """Return a future of the next growth."""
        return self._growth.expect(path)

    async def size(self, path: Path) -> int:
        """Return the bytes of the present log, 0 if there is none."""
        return await _run(self._looks, lambda: _size(path))

    async def set_aside(self, path: Path) -> None:
        """Rename `X` to `X.1` and the older ones out of its way. Errors: Internal."""
        await _run(self._looks, lambda: self._set_aside(path))

    async def is_due(self, path: Path) -> bool:
        """Tell whether a log was set aside and its monitor has not made a new one yet."""
        return await _run(self._looks, lambda: _next(path).exists() and not path.exists())

    async def settle(self, path: Path, keep: int, *, compress: bool) -> None:
        """Delete all but the newest aside, compress the rest if told. Errors: Internal."""
        await _run(self._folds, lambda: self._settle(path, keep, is_compressing=compress))

    async def finish(self, path: Path, max_files: int) -> None:
        """Clear away what a rotation left that the monitor's end cut. Errors: Internal."""
        await _run(self._folds, lambda: self._finish(path, max_files))

    def close(self) -> None:
        """Let go of the kernel's watches and the threads."""
        self._growth.close()
        for lane in (self._looks, self._folds):
            lane.shutdown(wait=False, cancel_futures=True)

    def _set_aside(self, path: Path) -> None:
        os.close(os.open(_next(path), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, _LOG_MODE))
        with self._renaming:
            aside = aside_numbers(path)
            first_free = next(n for n in range(1, len(aside) + 2) if n not in aside)
            for number in range(first_free - 1, 0, -1):
                aside[number].rename(_numbered(path, aside[number], number + 1))
            path.rename(path.with_name(f"{path.name}.1"))

    def _settle(self, path: Path, keep: int, *, is_compressing: bool) -> None:
        if path.exists():
            _next(path).unlink(missing_ok=True)
        kept = self._drop_oldest(path, keep)
        for each in kept if is_compressing else ():
            if each.suffix != ".gz":
                compress(each, self._renaming)

    def _finish(self, path: Path, max_files: int) -> None:
        for unfinished in path.parent.glob(f"{path.name}*.tmp"):
            unfinished.unlink(missing_ok=True)
        self._drop_oldest(path, max_files - path.exists())

    def _drop_oldest(self, path: Path, keep: int) -> list[Path]:
        """Delete all aside but the newest, which are returned."""
        with self._renaming:
            aside = aside_numbers(path)
            row = [aside[number] for number in sorted(aside)]
            for each in row[keep:]:
                each.unlink(missing_ok=True)
        return row[:keep]


async def _run(lane: ThreadPoolExecutor, work: Callable[[], T]) -> T:
    try:
        return await asyncio.get_running_loop().run_in_executor(lane, work)
    except OSError as error:
        raise Internal(f"log {error.filename}: {error.strerror}") from error


def _next(path: Path) -> Path:
    return path.with_name(f"{path.name}.tmp")


def _numbered(path: Path, aside: Path, number: int) -> Path:
    ending = ".gz" if aside.suffix == ".gz" else ""
    return path.with_name(f"{path.name}.{number}{ending}")


def _size(path: Path) -> int:
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_size
    return 0
