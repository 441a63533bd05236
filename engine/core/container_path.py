"""Paths in containers as `docker cp` means them, and what the API says of them."""

from __future__ import annotations

import base64
import posixpath
import stat

import msgspec
from msgspec import Struct

from api.errors import Forbidden, InvalidArgument, NotFound
from engine.core.timestamps import format_utc

_DIRECTORY, _SYMLINK, _DEVICE, _PIPE, _SOCKET = 1 << 31, 1 << 27, 1 << 26, 1 << 25, 1 << 24
_SETUID, _SETGID, _CHAR, _STICKY = 1 << 23, 1 << 22, 1 << 21, 1 << 20
_KINDS = {
    stat.S_IFDIR: _DIRECTORY,
    stat.S_IFLNK: _SYMLINK,
    stat.S_IFBLK: _DEVICE,
    stat.S_IFCHR: _DEVICE | _CHAR,
    stat.S_IFIFO: _PIPE,
    stat.S_IFSOCK: _SOCKET,
}
_SPECIAL = ((stat.S_ISUID, _SETUID), (stat.S_ISGID, _SETGID), (stat.S_ISVTX, _STICKY))


class PathMissing(NotFound):
    """A tree has no such path."""

    def __init__(self, path: str) -> None:
        super().__init__(f"Could not find the file {path}")


class NoFileInContainer(NotFound):
    """A container has no such path."""

    def __init__(self, path: str, container: str) -> None:
        super().__init__(f"Could not find the file {path} in container {container}")


class NotADirectoryPath(InvalidArgument):
    """A path goes on behind a file."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path}: not a directory")


class TreeReadOnly(Forbidden):
    """The target cannot be written; the text is for volumes, `RootReadOnly` for the rest."""

    def __init__(self) -> None:
        super().__init__("mounted volume is marked read-only")


class RootReadOnly(Forbidden):
    """The container's own tree cannot be written."""

    def __init__(self) -> None:
        super().__init__("container rootfs is marked read-only")


class PathStat(Struct, frozen=True):
    """The content of the header X-Docker-Container-Path-Stat."""

    name: str
    size: int
    mode: int
    mtime: str
    linkTarget: str  # noqa: N815  (the API's spelling)


def absolute(path: str) -> str:
    """Return a path from the root, cleaned, with its last `/` or `/.` kept.

    Errors:  InvalidArgument when it is empty or holds a zero byte.
    """
    if not path:
        raise InvalidArgument("missing parameter in request: path")
    if "\0" in path:
        raise InvalidArgument("a path cannot hold a zero byte")
    cleaned = "/" + posixpath.normpath("/" + path).lstrip("/")
    if path == "." or path.endswith("/."):
        return posixpath.join(cleaned, ".")
    if path.endswith("/"):
        return posixpath.join(cleaned, "")
    return cleaned


def base_name(path: str) -> str:
    """Return the last part of an absolute path, what a tar of it begins with."""
    return path.rstrip("/").rpartition("/")[2] or "/"


def go_mode(mode: int) -> int:
    """Return st_mode as Go's os.FileMode, which is what the API speaks."""
    bits = mode & 0o777 | _KINDS.get(stat.S_IFMT(mode), 0)
    for ours, theirs in _SPECIAL:
        if mode & ours:
            bits |= theirs
    return bits


def stat_header(name: str, size: int, mode: int, mtime_ns: int, link_target: str) -> str:
    """Return the header's value: base64 of JSON. `mode` is st_mode."""
    described = PathStat(name, size, go_mode(mode), f"{format_utc(mtime_ns)}Z", link_target)
    return base64.b64encode(msgspec.json.encode(described)).decode()
