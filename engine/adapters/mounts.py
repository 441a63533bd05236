"""mount(2), umount2(2) and unshare(2) without a process."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

MNT_DETACH = 2
CLONE_FS = 0x00000200

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mount.argtypes = (
    ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p,
)  # fmt: skip
_libc.umount2.argtypes = (ctypes.c_char_p, ctypes.c_int)
_libc.unshare.argtypes = (ctypes.c_int,)


def mount(source: str, target: str | Path, kind: str, flags: int, data: str) -> None:
    """Mount a file system. Errors: OSError; EINVAL may mean that the options exceed a page."""
    done = _libc.mount(
        os.fsencode(source), os.fsencode(target), kind.encode(), flags, os.fsencode(data)
    )
    _check(done, target)


def detach(target: str | Path) -> None:
    """Take a mount out of sight at once; the kernel ends it with its last user. Fine if none."""
    try:
        _check(_libc.umount2(os.fsencode(target), MNT_DETACH), target)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOENT}:
            raise


def own_working_directory() -> None:
    """Give the calling thread a working directory apart from the process's other threads."""
    _check(_libc.unshare(CLONE_FS), "unshare")


def _check(done: int, target: str | Path) -> None:
    if done != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(target))
