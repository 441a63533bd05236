"""Reading a container's log files, and setting aside what grew too big."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Protocol


class LogCursor(Protocol):
    """A place in one container's log, which may grow and be rotated meanwhile."""

    async def seek_tail(self, lines: int) -> None:
        """Go to the first of the last `lines` lines that are in the log now."""

    async def read(self, render: Callable[[bytes], bytes]) -> bytes | None:
        """Return the next block as `render` makes it; None when there is nothing more yet.

        `render` is called outside the event loop, never twice at once; what it gives may be b"".
        """

    async def changed(self, timeout_s: float | None) -> None:
        """Return once there may be more to read, after `wake`, or when the time is over."""

    def wake(self) -> None:
        """End the present or the next wait of `changed`."""

    def close(self) -> None:
        """Let go of the files."""


class LogFiles(Protocol):
    """Opens logs."""

    async def open(self, path: Path, *, follow: bool) -> LogCursor:
        """Open a log at its oldest record, rotated files included; a missing log is empty.

        `follow` says that `changed` will be used.
        """


class LogRotator(Protocol):
    """The files of logs that are rotated: `X` is written by a monitor, `X.1` is the newest aside.

    A rotation: `set_aside`, the monitor is told to reopen its log, `is_due` says False once it
    did, `settle`. Whatever moment it is cut at, no record is lost, and `is_due` tells the rest.
    """

    def expect_growth(self, path: Path) -> asyncio.Future[None]:
        """Return a future of the next growth; whoever gives up cancels it. May come in vain."""

    async def size(self, path: Path) -> int:
        """Return the bytes of the present log, 0 if there is none."""

    async def set_aside(self, path: Path) -> None:
        """Rename `X` to `X.1` and the older ones out of its way. Errors: Internal."""

    async def is_due(self, path: Path) -> bool:
        """Tell whether a log was set aside and its monitor has not made a new one yet."""

    async def settle(self, path: Path, keep: int, *, compress: bool) -> None:
        """Delete all but the `keep` newest aside, compress the rest if told. Errors: Internal."""

    async def finish(self, path: Path, max_files: int) -> None:
        """Clear away what a rotation left that the monitor's end cut. Errors: Internal."""
