"""Files in a container's tree, reached so that no link leads outside (openat2, RESOLVE_IN_ROOT)."""

from __future__ import annotations

import asyncio
import errno
import os
import posixpath
import stat
from pathlib import Path

from api.errors import Internal, InvalidArgument
from engine.adapters.openat2 import open_in_root

_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EACCES, errno.ENXIO})
_DIRECTORY = os.O_PATH | os.O_DIRECTORY
_MODE = 0o755


class RootfsFiles:
    """Fulfils `Rootfs`. What it makes belongs to `owner`, the host's numbers of a root user."""

    def __init__(self, owner: tuple[int, int] = (0, 0)) -> None:
        self._owner = owner

    async def read(self, root: Path, path: str, limit: int = 4 << 20) -> bytes:
        """Return a regular file's content, at most so many bytes; b"" if there is no such file."""
        return await asyncio.to_thread(_read, root, path, limit)

    async def make_directory(self, root: Path, path: str) -> None:
        """Make a directory with its parents, root's, mode 0755; existing ones stay as they are."""
        await asyncio.to_thread(_make_directory, root, path, self._owner)

    async def make_mount_point(self, root: Path, path: str, *, is_file: bool) -> None:
        """Make an empty file or directory to mount on, if nothing is there."""
        await asyncio.to_thread(_make_mount_point, root, path, self._owner, is_file=is_file)


def _read(root: Path, path: str, limit: int) -> bytes:
    base = os.open(root, _DIRECTORY | os.O_CLOEXEC)
    try:
        # Non-blocking: a pipe in the file's place must not make us wait for its writer.
        opened = open_in_root(base, path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        if error.errno in _ABSENT:
            return b""
        raise Internal(f"cannot read {path} of the container: {error.strerror}") from error
    finally:
        os.close(base)
    with os.fdopen(opened, "rb") as file:
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            return b""
        return file.read(limit)


def _make_directory(root: Path, path: str, owner: tuple[int, int]) -> None:
    base = os.open(root, _DIRECTORY | os.O_CLOEXEC)
    try:
        os.close(_descend(base, path, owner))
    finally:
        os.close(base)


def _make_mount_point(root: Path, path: str, owner: tuple[int, int], *, is_file: bool) -> None:
    if not is_file:
        _make_directory(root, path, owner)
        return
    base = os.open(root, _DIRECTORY | os.O_CLOEXEC)
    try:
        parent = _descend(base, posixpath.dirname(path), owner)
        try:
            flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
            made = os.open(posixpath.basename(path), flags, 0o644, dir_fd=parent)
            try:
                os.fchown(made, *owner)
            finally:
                os.close(made)
        except FileExistsError:
            return
        finally:
            os.close(parent)
    finally:
        os.close(base)


def _descend(base: int, path: str, owner: tuple[int, int]) -> int:
    """Return a descriptor of the directory, made where it or its parents were missing.

    Each step is resolved from the root again, so that a link exchanged meanwhile still ends inside.
    """
    walked = "/"
    current = open_in_root(base, walked, _DIRECTORY)
    for name in filter(None, posixpath.normpath("/" + path).split("/")):
        walked = posixpath.join(walked, name)
        try:
            following = _step(base, current, walked, name, owner)
        except OSError as error:
            if error.errno in {errno.ENOTDIR, errno.EEXIST, errno.ELOOP}:
                raise InvalidArgument(f"Cannot mkdir: {path} is not a directory") from error
            raise Internal(f"cannot make {path} in the container: {error.strerror}") from error
        finally:
            os.close(current)
        current = following
    return current


def _step(base: int, current: int, walked: str, name: str, owner: tuple[int, int]) -> int:
    try:
        return open_in_root(base, walked, _DIRECTORY)
    except FileNotFoundError:
        try:
            os.mkdir(name, _MODE, dir_fd=current)
        except FileExistsError:
            # A dangling link: make what it points to, inside.
            return _behind_link(base, current, walked, name, owner)
        made = os.open(
            name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=current
        )
        os.fchown(made, *owner)
        os.fchmod(made, _MODE)
        return made


def _behind_link(base: int, current: int, walked: str, name: str, owner: tuple[int, int]) -> int:
    target = os.readlink(name, dir_fd=current)
    if not target.startswith("/"):
        target = posixpath.join(posixpath.dirname(walked), target)
    if posixpath.normpath(target) == walked:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), walked)
    os.close(_descend(base, target, owner))
    return open_in_root(base, walked, _DIRECTORY)
