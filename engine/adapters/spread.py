"""Tell ext4 that the directories inside a directory have nothing to do with one another.

It then gives each a part of the disk of its own. Without this, trees made right after others were
deleted are slow: ext4 does not reuse an inode within five seconds of its deletion, and looks
through all that were deleted near by for each new file (measured: 3,000 files in 0.2 s instead of
2 to 6 s).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
from pathlib import Path

_GET_FLAGS = 0x80086601
_SET_FLAGS = 0x40086602
_TOP_OF_HIERARCHY = 0x00020000


def spread_children(directory: Path) -> None:
    """Set the flag (chattr +T); file systems that have none are left as they are."""
    with contextlib.suppress(OSError):
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            raw = fcntl.ioctl(fd, _GET_FLAGS, bytes(8))
            (flags,) = struct.unpack_from("I", raw)
            fcntl.ioctl(fd, _SET_FLAGS, struct.pack("II", flags | _TOP_OF_HIERARCHY, 0))
        finally:
            os.close(fd)
