"""inotify: learn that a log grew or was rotated, without polling.

One inotify instance serves all readers (a user may have but 128); it watches the log's directory,
so that a new file in the place of a rotated one is seen as well.
Source:  inotify(7).
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import struct
from collections.abc import Callable
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)

_MODIFY, _CREATE, _MOVED_TO = 0x2, 0x100, 0x80
_MASK = _MODIFY | _CREATE | _MOVED_TO
_IGNORED, _OVERFLOW = 0x8000, 0x4000
_EVENT = struct.Struct("iIII")
_READ_BYTES = 1 << 16

_libc = ctypes.CDLL(None, use_errno=True)


class LogWatch:
    """Calls back when a file in a directory changes; falls silent where inotify is exhausted."""

    def __init__(self) -> None:
        self._fd = -1
        self._listeners: dict[int, set[Callable[[], None]]] = {}
        self._directories: dict[Path, int] = {}

    def add(self, directory: Path, listener: Callable[[], None]) -> bool:
        """Call `listener` at each change from now on; False when the kernel gives no watch."""
        if self._fd < 0 and not self._open():
            return False
        watch = self._directories.get(directory)
        if watch is None:
            watch = _libc.inotify_add_watch(self._fd, os.fsencode(directory), _MASK)
            if watch < 0:
                log.warning("log.unwatched", path=str(directory), errno=ctypes.get_errno())
                return False
            self._directories[directory] = watch
        self._listeners.setdefault(watch, set()).add(listener)
        return True

    def remove(self, directory: Path, listener: Callable[[], None]) -> None:
        """Stop calling; fine if never added."""
        watch = self._directories.get(directory)
        if watch is None:
            return
        listeners = self._listeners.get(watch, set())
        listeners.discard(listener)
        if not listeners:
            self._forget(watch)
            _libc.inotify_rm_watch(self._fd, watch)

    def close(self) -> None:
        """Give the instance back."""
        if self._fd >= 0:
            asyncio.get_running_loop().remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1
        self._listeners.clear()
        self._directories.clear()

    def _open(self) -> bool:
        self._fd = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            log.warning("log.unwatched", errno=ctypes.get_errno())
            return False
        asyncio.get_running_loop().add_reader(self._fd, self._on_readable)
        return True

    def _on_readable(self) -> None:
        try:
            data = os.read(self._fd, _READ_BYTES)
        except BlockingIOError:
            return
        changed: set[int] = set()
        position = 0
        while position < len(data):
            watch, mask, _, name_bytes = _EVENT.unpack_from(data, position)
            position += _EVENT.size + name_bytes
            changed.add(watch)
            if mask & _OVERFLOW:
                changed.update(self._listeners)
            if mask & _IGNORED:
                self._forget(watch)
        for watch in changed:
            for listener in tuple(self._listeners.get(watch, ())):
                listener()

    def _forget(self, watch: int) -> None:
        """Drop a watch that ended; its listeners hear once more through the caller's loop."""
        for listener in self._listeners.pop(watch, ()):
            listener()
        self._directories = {
            path: number for path, number in self._directories.items() if number != watch
        }
