"""Namespaces kept alive by bind mounts; network namespaces entered by threads."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

_CLONE_NEWNET = 0x40000000
_MS_BIND = 4096
_MNT_DETACH = 2

_libc = ctypes.CDLL(None, use_errno=True)


async def in_own_thread(work: Callable[[], T]) -> T:
    """Run work in a thread of its own and return its result.

    A thread that changed its namespace must never work for another, so it ends with the call.
    A cancelled call waits for the thread before it ends: nothing goes on behind the caller.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        try:
            result = work()
        except BaseException as error:
            loop.call_soon_threadsafe(done.set_exception, error)
        else:
            loop.call_soon_threadsafe(done.set_result, result)

    threading.Thread(target=run, name="netns", daemon=True).start()
    return await to_the_end(done)


async def to_the_end(done: asyncio.Future[T]) -> T:
    """Return the future's result; a cancelled call waits for it before it ends."""
    try:
        return await asyncio.shield(done)
    except asyncio.CancelledError:
        while not done.done():
            try:
                await asyncio.wait([done])
            except asyncio.CancelledError:
                continue
        if not done.cancelled():
            done.exception()
        raise


def unshare_network(path: Path) -> None:
    """Move the calling thread into a new namespace and mount that at `path`. Errors: OSError."""
    with _place_for(path):
        _check(_libc.unshare(_CLONE_NEWNET), "unshare", path)
        _pin("/proc/thread-self/ns/net", path)


def pin_namespace(source: str, path: Path) -> None:
    """Mount a namespace's file of /proc at `path`, so that it lives on. Errors: OSError."""
    with _place_for(path):
        _pin(source, path)


@contextmanager
def _place_for(path: Path) -> Iterator[None]:
    """Make the file to mount on; it goes again when what follows fails."""
    path.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444))
    try:
        yield
    except OSError:
        path.unlink(missing_ok=True)
        raise


def _pin(source: str, path: Path) -> None:
    _check(_libc.mount(source.encode(), os.fsencode(path), None, _MS_BIND, None), "mount", path)


def is_pinned(path: Path) -> bool:
    """Tell whether a namespace is mounted at `path`; a boot leaves the file, and no mount."""
    try:
        return path.stat().st_dev != path.parent.stat().st_dev
    except FileNotFoundError:
        return False


def enter_network(path: Path) -> None:
    """Move the calling thread into the namespace mounted at `path`. Errors: OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _check(_libc.setns(descriptor, _CLONE_NEWNET), "setns", path)
    finally:
        os.close(descriptor)


def unpin_namespace(path: Path) -> None:
    """Let go of the namespace at `path`; fine if there is none. Errors: OSError."""
    if _libc.umount2(os.fsencode(path), _MNT_DETACH) != 0:
        number = ctypes.get_errno()
        if number not in {errno.EINVAL, errno.ENOENT}:  # not mounted, not there
            raise OSError(number, os.strerror(number), str(path))
    path.unlink(missing_ok=True)


def _check(result: int, call: str, path: Path) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}", str(path))
