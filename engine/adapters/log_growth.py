"""inotify, one event at a time: learn that a log grew, and pay nothing while it does not.

A watch ends with its first event (IN_ONESHOT), so a container that writes as fast as it can wakes
the daemon only as often as the daemon asks.
Source:  inotify(7).
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import struct
from pathlib import Path

_MODIFY, _ONESHOT = 0x2, 0x80000000
_OVERFLOW = 0x4000
_EVENT = struct.Struct("iIII")
_READ_BYTES = 1 << 16
_UNWATCHED_S = 0.5

_libc = ctypes.CDLL(None, use_errno=True)
_libc.inotify_add_watch.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_uint32)


class LogGrowth:
    """Futures of the next write to a file; where the kernel gives no watch they come by time."""

    def __init__(self) -> None:
        self._fd = -1
        self._waiting: dict[int, asyncio.Future[None]] = {}

    def expect(self, path: Path) -> asyncio.Future[None]:
        """Return a future of the next write; one waiter for a file."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        if self._fd < 0:
            self._open(loop)
        watch = -1
        if self._fd >= 0:
            watch = _libc.inotify_add_watch(self._fd, os.fsencode(path), _MODIFY | _ONESHOT)
        if watch < 0:
            timer = loop.call_later(_UNWATCHED_S, _resolve, future)
            future.add_done_callback(lambda _: timer.cancel())
            return future
        self._waiting[watch] = future
        future.add_done_callback(lambda done: self._done(watch, done))
        return future

    def close(self) -> None:
        """Give the instance back."""
        if self._fd >= 0:
            asyncio.get_running_loop().remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1
        self._waiting.clear()

    def _open(self, loop: asyncio.AbstractEventLoop) -> None:
        self._fd = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd >= 0:
            loop.add_reader(self._fd, self._on_readable)

    def _done(self, watch: int, future: asyncio.Future[None]) -> None:
        if self._waiting.get(watch) is not future:
            return  # somebody waits for the same file anew
        del self._waiting[watch]
        if future.cancelled() and self._fd >= 0:
            _libc.inotify_rm_watch(self._fd, watch)

    def _on_readable(self) -> None:
        try:
            data = os.read(self._fd, _READ_BYTES)
        except BlockingIOError:
            return
        offset = 0
        while offset < len(data):
            watch, mask, _, name_bytes = _EVENT.unpack_from(data, offset)
            offset += _EVENT.size + name_bytes
            told = list(self._waiting) if mask & _OVERFLOW else [watch]
            for each in told:
                if each in self._waiting:
                    _resolve(self._waiting[each])


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
