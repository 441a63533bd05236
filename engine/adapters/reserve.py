"""A piece of the disk held back, so that a full one can still be emptied through us.

To remove what fills the disk, the engine has to write down that it does so. The piece is given
back when nothing else is left, and taken again when there is room.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_BYTES = 1 << 20
_ROOM = 8


class DiskReserve:
    """A file of 1 MiB that holds nothing; used by one thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._is_held = False

    def hold(self) -> None:
        """Take the piece if it is not held and the disk has plenty; never raises."""
        if self._is_held:
            return
        with contextlib.suppress(OSError):
            disk = os.statvfs(self._path.parent)
            if disk.f_bavail * disk.f_frsize < _BYTES * _ROOM and not self._path.exists():
                return
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, _BYTES)
            finally:
                os.close(descriptor)
            self._is_held = True

    def give(self) -> bool:
        """Give the piece back to the disk, also an earlier process's; False if there was none."""
        self._is_held = False
        try:
            self._path.unlink()
        except OSError:
            return False
        return True
