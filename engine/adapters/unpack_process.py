"""Start the process that unpacks a layer, and translate what it says."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from subprocess import PIPE, Popen
from threading import Lock

import msgspec

from api.errors import Internal, InvalidArgument, SkepError, Unsupported
from engine.adapters.unpacking import worker
from engine.adapters.unpacking.source import compression
from engine.core.errors import NoSpaceLeft
from engine.core.id_maps import IdMaps

_LIMIT_S = 3600.0
_NICE = 3
_CANONICAL_DIGITS = 64


class _Line(msgspec.Struct, frozen=True):
    read: int | None = None
    diff_id: str = ""
    size: int = 0
    error: str = ""
    kind: str = ""


_SILENT = _Line(error="the unpacking process ended without a word", kind="io")


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What a blob turned out to be: uncompressed digest, bytes of its files."""

    diff_id: str
    size: int


class UnpackProcesses:
    """Runs at most as many unpacking processes as there are processors (and at least two).

    Owners go through the maps `ids`, if any.
    Each is started and heard by a thread: the loop's own way of starting one forks, which stops
    every other client for 10 ms.
    """

    def __init__(self, ids: IdMaps | None = None) -> None:
        self._ids = ids.text() if ids else ""
        width = max(2, os.cpu_count() or 1)
        self._lane = ThreadPoolExecutor(width, thread_name_prefix="unpack")
        found = importlib.util.find_spec("zstandard")
        self._zstd = str(Path(found.origin).parent.parent) if found and found.origin else ""

    async def unpack(
        self,
        blob: Path,
        target: Path,
        *,
        over_lower: bool,
        progress: Callable[[int], None] | None = None,
    ) -> Unpacked:
        """Unpack a blob into an empty directory; what is there after an error is of no use.

        A blob of an image store has its digest for a name: a plain one is its own diff id.
        Errors:  InvalidArgument, Unsupported, Internal.
        """
        loop = asyncio.get_running_loop()
        report = progress and partial(_soon, loop, progress)
        words = [str(target), "1" if over_lower else "0", self._ids, self._zstd]
        work = _Work(blob, words, report)
        done = loop.run_in_executor(self._lane, work.run)
        try:
            async with asyncio.timeout(_LIMIT_S):
                last = await asyncio.shield(done)
        except BaseException:
            work.kill()
            await asyncio.shield(asyncio.wait([done]))
            raise
        if last.error or not (last.diff_id or work.plain):
            raise _error(last)
        return Unpacked(f"sha256:{blob.name if work.plain else last.diff_id}", last.size)


class _Work:
    """One layer's unpacking: `run` in a thread, `kill` from the loop."""

    def __init__(
        self,
        blob: Path,
        words: list[str],
        report: Callable[[int], object] | None,
    ) -> None:
        self._blob = blob
        self._words = words
        self._report = report
        self._lock = Lock()
        self._killed = False
        self._process: Popen[bytes] | None = None
        self.plain = False

    def run(self) -> _Line:
        """Start the process and follow it to its end; return its last line."""
        with self._blob.open("rb", 0) as file:
            is_canonical = len(self._blob.name) == _CANONICAL_DIGITS
            self.plain = is_canonical and compression(os.pread(file.fileno(), 6, 0)) == ""
            with self._lock:
                if self._killed:
                    return _SILENT
                process = self._process = Popen(
                    [
                        sys.executable, "-I", "-S", worker.__file__, *self._words,
                        "0" if self.plain else "1",
                    ],
                    stdin=file, stdout=PIPE, stderr=PIPE,
                )  # fmt: skip
        with process:
            # Clients who wait for an answer go first; it may have ended already.
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, process.pid, _NICE)
            return self._follow(process)

    def kill(self) -> None:
        """End the process, or let it not begin."""
        with self._lock:
            self._killed = True
            if self._process is not None:
                self._process.kill()

    def _follow(self, process: Popen[bytes]) -> _Line:
        assert process.stdout is not None
        assert process.stderr is not None
        last = _SILENT
        for text in process.stdout:
            line = msgspec.json.decode(text, type=_Line)
            if line.read is None:
                last = line
            elif self._report is not None:
                self._report(line.read)
        if last.error and (words := process.stderr.read(4096).decode(errors="replace").strip()):
            return msgspec.structs.replace(last, error=f"{last.error}: {words[-500:]}")
        return last


def _soon(loop: asyncio.AbstractEventLoop, progress: Callable[[int], None], count: int) -> None:
    loop.call_soon_threadsafe(progress, count)


def _error(last: _Line) -> SkepError:
    if last.kind == "invalid":
        return InvalidArgument(f"failed to register layer: {last.error}")
    if last.kind == "unsupported":
        return Unsupported(f"failed to register layer: {last.error}: not possible on this system")
    if last.kind == "space":
        return NoSpaceLeft(f"failed to register layer: {last.error}")
    return Internal(f"failed to register layer: {last.error}")
