"""Log files on disk: read in big blocks by a few threads, followed across rotation.

A rotation renames `X` to `X.1`, `X.1` to `X.2` and so on; the monitor then opens a new `X`, and
`X.1` may become `X.1.gz`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from engine.adapters.log_segments import Segment, open_segments
from engine.adapters.log_watch import LogWatch
from engine.core.log_tail import tail_offset
from engine.ports.logs import LogCursor

READ_BYTES = 1 << 19
_LANE_THREADS = 4
_UNWATCHED_POLL_S = 0.2

T = TypeVar("T")


class DiskLogFiles:
    """Fulfils `LogFiles`. Whoever renames the files of a log holds `renaming` meanwhile."""

    def __init__(self, renaming: threading.Lock | None = None) -> None:
        self._renaming = renaming or threading.Lock()
        self._lane = ThreadPoolExecutor(_LANE_THREADS, thread_name_prefix="logs")
        self._watch = LogWatch()

    async def open(self, path: Path, *, follow: bool) -> LogCursor:
        """Open a log at its oldest record; see the port."""
        watch = self._watch if follow else None
        cursor = DiskLogCursor(path, self._lane, watch, self._renaming)
        try:
            await cursor.open()
        except BaseException:
            cursor.close()  # A client that left meanwhile: what was opened for it is closed.
            raise
        return cursor

    def close(self) -> None:
        """Let go of the watch and the threads."""
        self._watch.close()
        self._lane.shutdown(wait=False, cancel_futures=True)


class DiskLogCursor:
    """Fulfils `LogCursor`; file descriptors are touched in the lane only, one call at a time."""

    def __init__(
        self,
        path: Path,
        lane: ThreadPoolExecutor,
        watch: LogWatch | None,
        renaming: threading.Lock,
    ) -> None:
        self._path = path
        self._renaming = renaming
        self._lane = lane
        self._watch = watch
        self._watched = False
        self._event = asyncio.Event()
        self._files: list[Segment] = []
        self._offset = 0
        self._busy: Future[Any] | None = None

    async def open(self) -> None:
        """Watch first, then open, so that no growth in between is missed."""
        if self._watch is not None:
            self._watched = self._watch.add(self._path.parent, self.wake)
        await self._run(self._open_files)

    async def seek_tail(self, lines: int) -> None:
        """Go to the first of the last `lines` lines."""
        await self._run(lambda: self._seek_tail(lines))

    async def read(self, render: Callable[[bytes], bytes]) -> bytes | None:
        """Return the next rendered block, None at the present end."""
        return await self._run(lambda: self._read(render))

    async def changed(self, timeout_s: float | None) -> None:
        """Return once there may be more to read."""
        if not self._watched:
            timeout_s = min(_UNWATCHED_POLL_S, timeout_s or _UNWATCHED_POLL_S)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._event.wait()
        self._event.clear()

    def wake(self) -> None:
        """End the present or the next wait."""
        self._event.set()

    def close(self) -> None:
        """Close the files, after a read that is still under way."""
        if self._watch is not None:
            self._watch.remove(self._path.parent, self.wake)
        if self._busy is not None and not self._busy.done():
            self._busy.add_done_callback(lambda _: self._close_files())
        else:
            self._close_files()

    async def _run(self, work: Callable[[], T]) -> T:
        future = self._lane.submit(work)
        self._busy = future
        return await asyncio.wrap_future(future)

    def _open_files(self) -> None:
        with self._renaming:
            self._files = open_segments(self._path)

    def _close_files(self) -> None:
        while self._files:
            self._files.pop().close()

    def _seek_tail(self, lines: int) -> None:
        goes_on = False
        for index in range(len(self._files) - 1, -1, -1):
            segment = self._files[index]
            segment.unfold(self._path.parent)
            size = os.fstat(segment.fd).st_size
            read_at = _reader(segment.fd)
            self._offset, found = tail_offset(read_at, size, lines, goes_on=goes_on)
            lines -= found
            goes_on = goes_on or size > 0
            # The first line of a file may have begun in the one before it.
            if self._offset > 0 or not (goes_on or lines > 0):
                for _ in range(index):
                    self._files.pop(0).close()
                return

    def _read(self, render: Callable[[bytes], bytes]) -> bytes | None:
        while True:
            if not self._files:
                self._open_files()
                if not self._files:
                    return None
            self._files[0].unfold(self._path.parent)
            data = os.pread(self._files[0].fd, READ_BYTES, self._offset)
            if data:
                self._offset += len(data)
                return render(data)
            if len(self._files) > 1:
                self._files.pop(0).close()
                self._offset = 0
            elif not self._open_newer():
                return None

    def _open_newer(self) -> bool:
        """Open what took the place of a rotated file; the old one is at its end for good then."""
        ours = self._files[0]
        if _is_at(ours, self._path):
            return False
        with self._renaming:
            found = open_segments(self._path)
        older = next((n for n in range(len(found) - 1, -1, -1) if found[n].is_same(ours)), -1)
        for segment in found[: older + 1]:
            segment.close()
        self._files += found[older + 1 :]
        return len(found) > older + 1


def _is_at(segment: Segment, path: Path) -> bool:
    try:
        found = path.stat()
    except FileNotFoundError:
        return False
    return (found.st_dev, found.st_ino) == (segment.device, segment.inode)


def _reader(fd: int) -> Callable[[int, int], bytes]:
    return lambda offset, length: os.pread(fd, length, offset)
