"""Open a path inside a directory so that no link, `..` or mount trick leads out of it."""

from __future__ import annotations

import ctypes
import os
from functools import cache

_NUMBER = 437  # the same on every architecture
_RESOLVE_IN_ROOT = 0x10
_RESOLVE_NO_MAGICLINKS = 0x02


class _OpenHow(ctypes.Structure):
    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


def open_in_root(root: int, path: str, flags: int) -> int:
    """Open an existing path as a process chrooted to the directory `root` would.

    Errors:  OSError, ENOSYS on kernels before 5.6; ValueError on a NUL in the path.
    Source:  openat2(2), RESOLVE_IN_ROOT.
    """
    if "\0" in path:
        raise ValueError("a path has no NUL")
    how = _OpenHow(flags | os.O_CLOEXEC, 0, _RESOLVE_IN_ROOT | _RESOLVE_NO_MAGICLINKS)
    opened = int(
        _libc().syscall(
            ctypes.c_long(_NUMBER),
            ctypes.c_int(root),
            ctypes.c_char_p(os.fsencode(path)),
            ctypes.byref(how),
            ctypes.c_size_t(ctypes.sizeof(how)),
        )
    )
    if opened < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), path)
    return opened


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
