"""Mount and unmount what a volume's options name, by system call."""

from __future__ import annotations

import ctypes
import errno
import os
from functools import cache
from pathlib import Path

from engine.core.volume import MS_BIND, MountPlan

_MS_RDONLY = 0x1
_MS_REMOUNT = 0x20
_MS_REC = 0x4000
_PROPAGATION = 0x40000 | 0x80000 | 0x100000
_MNT_DETACH = 0x2
_UMOUNT_NOFOLLOW = 0x8
_PAGE_BYTES = 4096


def mount_plan(plan: MountPlan, target: Path) -> None:
    """Mount; a read-only bind takes a second call, as the kernel ignores `ro` in the first.

    Errors:  OSError; nothing stays mounted then.
    """
    _mount(plan.device, target, plan.fstype, plan.flags & ~_PROPAGATION, plan.data)
    try:
        if plan.flags & MS_BIND and plan.flags & _MS_RDONLY:
            again = plan.flags & ~_PROPAGATION & ~_MS_REC | _MS_REMOUNT
            _mount("", target, "", again, "")
        if plan.flags & _PROPAGATION:
            _mount("", target, "", plan.flags & (_PROPAGATION | _MS_REC), "")
    except OSError:
        unmount_all(target)
        raise


def unmount_all(target: Path) -> None:
    """Take off whatever is mounted on the directory; fine if nothing is. Errors: OSError."""
    while True:
        result = _libc().umount2(os.fsencode(target), _MNT_DETACH | _UMOUNT_NOFOLLOW)
        if result == 0:
            continue
        code = ctypes.get_errno()
        if code in {errno.EINVAL, errno.ENOENT}:
            return
        raise OSError(code, os.strerror(code), str(target))


def is_mounted(target: Path) -> bool:
    """Tell whether something is mounted on exactly this directory."""
    wanted = _escaped(str(target))
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as table:
        return any(line.split(" ", 5)[4] == wanted for line in table)


def _mount(device: str, target: Path, fstype: str, flags: int, data: str) -> None:
    encoded = os.fsencode(data)
    if len(encoded) >= _PAGE_BYTES:
        raise OSError(errno.E2BIG, "mount options are longer than a page")
    result = _libc().mount(
        os.fsencode(device),
        os.fsencode(target),
        os.fsencode(fstype),
        ctypes.c_ulong(flags),
        ctypes.c_char_p(encoded or None),
    )
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _escaped(path: str) -> str:
    """Write a path as mountinfo does: octal for space, tab, newline and backslash."""
    for character in ("\\", " ", "\t", "\n"):
        path = path.replace(character, f"\\{ord(character):03o}")
    return path


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
