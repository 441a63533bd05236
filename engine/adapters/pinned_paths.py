"""Places held fast by bind mounts of open descriptors, below `<exec root>/mounts/<container>`."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from api.errors import Internal, InvalidArgument, NotFound
from engine.adapters.mounts import mount
from engine.adapters.openat2 import open_in_root
from engine.adapters.volume_mount import unmount_all

T = TypeVar("T")

_MS_BIND = 0x1000
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class BoundPaths:
    """Fulfils `PinnedPaths`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def pin(self, container_id: str, number: int, base: Path, subpath: str) -> Path:
        """Return a path that is what `subpath` was inside `base`."""
        target = self._root / container_id / str(number)
        await _run(lambda: _pin(base, subpath, target))
        return target

    async def place(self, container_id: str, number: int) -> Path:
        """Return a new empty directory to mount something on."""
        target = self._root / container_id / str(number)
        await _run(lambda: _clear_place(target, is_file=False))
        return target

    async def release(self, container_id: str) -> None:
        """Unmount and delete all of a container's; fine if there is none."""
        await _run(lambda: _release(self._root / container_id))

    async def known(self) -> set[str]:
        """Return the containers that have any."""
        try:
            return set(await asyncio.to_thread(os.listdir, self._root))
        except FileNotFoundError:
            return set()


async def _run(work: Callable[[], T]) -> T:
    try:
        return await asyncio.to_thread(work)
    except OSError as error:
        raise Internal(f"mount {error.filename}: {error.strerror}") from error


def _pin(base: Path, subpath: str, target: Path) -> None:
    found = _open(base, subpath)
    try:
        is_file = not stat.S_ISDIR(os.fstat(found).st_mode)
        _clear_place(target, is_file=is_file)
        # The descriptor's own entry is a link of the kernel's to what is held, whatever its name.
        mount(f"/proc/self/fd/{found}", target, "", _MS_BIND, "")
    finally:
        os.close(found)


def _open(base: Path, subpath: str) -> int:
    top = os.open(base, _DIRECTORY)
    try:
        return open_in_root(top, subpath, os.O_PATH)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFound(f"cannot access path {base / subpath}: no such file or directory") from error
    except (OSError, ValueError) as error:
        raise InvalidArgument(f"cannot access path {base / subpath}: {error}") from error
    finally:
        os.close(top)


def _clear_place(target: Path, *, is_file: bool) -> None:
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _remove_place(target)
    if is_file:
        target.touch(mode=0o600)
    else:
        target.mkdir(mode=0o700)


def _remove_place(target: Path) -> None:
    unmount_all(target)
    try:
        target.rmdir()
    except NotADirectoryError:
        target.unlink()
    except FileNotFoundError:
        pass


def _release(directory: Path) -> None:
    try:
        places = list(directory.iterdir())
    except FileNotFoundError:
        return
    for place in sorted(places, key=lambda each: int(each.name), reverse=True):
        _remove_place(place)
    directory.rmdir()
