"""Mount namespaces of one's own, entered and rearranged by a thread that lives for nothing else.

A thread's root and mounts are its own after unshare(2), so the daemon's other threads see nothing
of this. What stays of it are two descriptors: the namespace, which keeps the mounts alive, and
its root, which a helper process is locked into.
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import os
import platform
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from engine.adapters.openat2 import open_in_root
from engine.ports.trees import Bind, LiveTree, StillTree, TreeView

Result = TypeVar("Result")

_CLONE_FS, _CLONE_NEWNS = 0x00000200, 0x00020000
_RDONLY, _REMOUNT, _BIND, _REC, _PRIVATE = 0x1, 0x20, 0x1000, 0x4000, 0x40000
_DETACH, _NOFOLLOW = 0x2, 0x8
_PIVOT_ROOT = 155 if platform.machine() == "x86_64" else 41  # the generic table's number
_OPEN_TREE, _MOVE_MOUNT = 428, 429  # on every architecture
_OPEN_TREE_CLONE, _AT_EMPTY_PATH, _AT_FDCWD, _MOVE_MOUNT_F_EMPTY_PATH = 1, 0x1000, -100, 0x4
_NOT_MOUNTED = frozenset({errno.EINVAL, errno.ENOENT, errno.ENOTDIR})

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mount.argtypes = (
    ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p,
)  # fmt: skip
_libc.umount2.argtypes = (ctypes.c_char_p, ctypes.c_int)
_libc.unshare.argtypes = (ctypes.c_int,)
_libc.setns.argtypes = (ctypes.c_int, ctypes.c_int)


class ViewGone(OSError):
    """The container ended before its tree was entered."""


@dataclass(frozen=True, slots=True)
class OpenView:
    """A tree with its mounts, held until closed.

    `user` is the user namespace of a running container that has one of its own.
    """

    root: int
    namespace: int
    user: int | None = None

    def close(self) -> None:
        """Let the mounts go."""
        os.close(self.root)
        os.close(self.namespace)
        if self.user is not None:
            os.close(self.user)


def open_view(view: TreeView) -> OpenView:
    """Make the calling thread's root the tree's, and return handles of it.

    Only for a thread of its own (`in_own_thread`), which has no way back.
    Errors:  OSError, ViewGone.
    """
    proc = os.open("/proc", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    user = None
    try:
        if isinstance(view, LiveTree):
            user = _namespace(view.pid, "user") if view.ids else None
            _enter(view)
        else:
            _assemble(view)
        flags = os.O_CLOEXEC
        namespace = os.open("thread-self/ns/mnt", os.O_RDONLY | flags, dir_fd=proc)
        return OpenView(os.open("/", os.O_PATH | os.O_DIRECTORY | flags), namespace, user)
    except BaseException:
        if user is not None:
            os.close(user)
        raise
    finally:
        os.close(proc)


def _namespace(pid: int, kind: str) -> int:
    try:
        return os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise ViewGone(errno.ESRCH, "the container is gone") from error


def _enter(view: LiveTree) -> None:
    """Take a private copy of a container's mounts, without those to be hidden.

    What was mounted in a user namespace is locked in the copy: it is covered instead, by what the
    container's tree has at that place.
    """
    device = os.stat(view.root).st_dev
    covers = {place: _picked(view.root, place) for place in view.hidden} if view.ids else {}
    namespace = _namespace(view.pid, "mnt")
    try:
        _check(_libc.unshare(_CLONE_FS), "unshare")
        _check(_libc.setns(namespace, _CLONE_NEWNS), "setns")
    finally:
        os.close(namespace)
    if os.stat("/").st_dev != device:
        raise ViewGone(errno.ESRCH, "the container is gone")  # another process has its number
    _own_mounts()
    for place, cover in covers.items():
        if cover is not None:
            _put(cover, place)
            os.close(cover)
    for place in view.hidden if not covers else ():
        if _libc.umount2(place.encode(), _DETACH | _NOFOLLOW) != 0:
            _unless(_NOT_MOUNTED, place)


def _picked(root: Path, place: str) -> int | None:
    """Return a mount of its own of a directory in a tree, None if there is none."""
    base = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        found = open_in_root(base, place, os.O_PATH | os.O_DIRECTORY)
    except OSError:
        return None
    finally:
        os.close(base)
    try:
        flags = ctypes.c_uint(_OPEN_TREE_CLONE | os.O_CLOEXEC | _AT_EMPTY_PATH)
        mount = _libc.syscall(ctypes.c_long(_OPEN_TREE), ctypes.c_int(found), b"", flags)
        _check(0 if mount >= 0 else -1, place)
        return int(mount)
    finally:
        os.close(found)


def _put(mount: int, place: str) -> None:
    """Put a mount on a directory of the thread's tree."""
    at = ctypes.c_int(_AT_FDCWD)
    flags = ctypes.c_uint(_MOVE_MOUNT_F_EMPTY_PATH)
    words = ctypes.c_int(mount), b"", at, place.encode(), flags
    _check(_libc.syscall(ctypes.c_long(_MOVE_MOUNT), *words), place)


def _assemble(view: StillTree) -> None:
    """Mount what belongs on a tree at rest, and leave the host's mounts behind."""
    _own_mounts()
    os.chdir(view.root)
    root = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for bind in view.binds:
            _bind(root, bind)
    finally:
        os.close(root)
    if view.read_only:
        _mount(None, ".", _REMOUNT | _BIND | _RDONLY)
    _check(_libc.syscall(ctypes.c_long(_PIVOT_ROOT), b".", b"."), "pivot_root")
    _check(_libc.umount2(b".", _DETACH), "the host's root")
    os.chdir("/")


def _bind(root: int, bind: Bind) -> None:
    """Mount one; what has no source or no place any more is left out."""
    for flags in (_BIND | _REC, *([_REMOUNT | _BIND | _RDONLY] if bind.read_only else [])):
        try:
            target = open_in_root(root, bind.destination, os.O_PATH)
        except OSError as error:
            if error.errno in {errno.ENOENT, errno.ENOTDIR}:
                return
            raise
        try:
            _mount(bind.source, f"/proc/self/fd/{target}", flags)
        except (FileNotFoundError, NotADirectoryError):
            return
        finally:
            os.close(target)


def _own_mounts() -> None:
    _check(_libc.unshare(_CLONE_NEWNS), "unshare")
    _mount(None, "/", _REC | _PRIVATE)


def _mount(source: str | None, target: str, flags: int) -> None:
    name = os.fsencode(source) if source is not None else None
    _check(_libc.mount(name, os.fsencode(target), None, flags, None), target)


def _check(done: int, target: str | Path) -> None:
    if done != 0:
        _unless(frozenset(), target)


def _unless(passing: frozenset[int], target: str | Path) -> None:
    number = ctypes.get_errno()
    if number not in passing:
        raise OSError(number, os.strerror(number), str(target))


async def in_own_thread(work: Callable[[], Result], discard: Callable[[Result], None]) -> Result:
    """Run work in a thread that ends with it; a result that nobody waits for is discarded."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Result] = loop.create_future()

    def give(result: Result) -> None:
        if future.done():
            discard(result)
        else:
            future.set_result(result)

    def fail(error: BaseException) -> None:
        if not future.done():
            future.set_exception(error)

    def run() -> None:
        try:
            result = work()
        except Exception as error:  # raised again where it is awaited
            loop.call_soon_threadsafe(fail, error)
        else:
            loop.call_soon_threadsafe(give, result)

    threading.Thread(target=run, name="view", daemon=True).start()
    return await future
