"""Copy a directory tree inside one machine, following no link anywhere.

Both sides may be hostile: the source is an image's content, the target a volume that a running
container can change under our hands. So every step names one entry of a directory that is held
open, and no link is ever walked through.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import NamedTuple

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_CHUNK = 16 << 20
# Each level holds three descriptors; no honest image comes near.
_DEPTH = 128
# Belongs to the overlay mount, not to the content.
_FOREIGN_ATTRIBUTES = ("trusted.overlay.", "user.overlay.")
_NO_ATTRIBUTES = {errno.ENOTSUP, errno.EPERM, errno.ENODATA}


class _Seen(NamedTuple):
    """Where a file with several names was put first: an open directory and a name in it."""

    parent: int
    name: str


def copy_tree(source: int, target: int) -> None:
    """Copy what the directory `source` holds, and its own owner, mode and times, to `target`.

    Both are open directories. Kept: owner, mode, extended attributes, hard links within the tree,
    symbolic links as they are, devices, pipes, holes, access and change times.
    Sockets are left out, as tar does.
    Errors:  OSError; what was copied so far stays. Blocks: call it in a thread.
    """
    links: dict[tuple[int, int], _Seen] = {}
    kept: list[int] = []
    try:
        _copy_directory(source, target, links, kept, depth=0)
    finally:
        for directory in kept:
            os.close(directory)


def _copy_directory(
    source: int,
    target: int,
    links: dict[tuple[int, int], _Seen],
    kept: list[int],
    depth: int,
) -> None:
    if depth > _DEPTH:
        raise OSError(errno.ELOOP, f"directories nest deeper than {_DEPTH}")
    target_for_links = -1
    with os.scandir(source) as entries:
        for entry in entries:
            found = entry.stat(follow_symlinks=False)
            identity = (found.st_dev, found.st_ino)
            if stat.S_ISDIR(found.st_mode):
                _descend(source, target, entry.name, links, kept, depth)
            elif found.st_nlink > 1 and identity in links:
                first = links[identity]
                os.link(
                    first.name,
                    entry.name,
                    src_dir_fd=first.parent,
                    dst_dir_fd=target,
                    follow_symlinks=False,
                )
            else:
                _copy_leaf(source, target, entry.name, found)
                if found.st_nlink > 1:
                    if target_for_links < 0:
                        target_for_links = os.dup(target)
                        kept.append(target_for_links)
                    links[identity] = _Seen(target_for_links, entry.name)
    _dress(source, target, os.fstat(source))


def _descend(
    source: int,
    target: int,
    name: str,
    links: dict[tuple[int, int], _Seen],
    kept: list[int],
    depth: int,
) -> None:
    with contextlib.ExitStack() as stack:
        below = _open(stack, name, _DIRECTORY, source)
        os.mkdir(name, 0o700, dir_fd=target)
        made = _open(stack, name, _DIRECTORY, target)
        _copy_directory(below, made, links, kept, depth + 1)


def _copy_leaf(source: int, target: int, name: str, found: os.stat_result) -> None:
    kind = stat.S_IFMT(found.st_mode)
    match kind:
        case stat.S_IFREG:
            _copy_file(source, target, name)
        case stat.S_IFLNK:
            os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=target)
            _dress_unopened(name, found, target)
        case stat.S_IFCHR | stat.S_IFBLK | stat.S_IFIFO:
            os.mknod(name, kind | 0o600, found.st_rdev, dir_fd=target)
            _dress_unopened(name, found, target)
        case _:
            pass


def _copy_file(source: int, target: int, name: str) -> None:
    with contextlib.ExitStack() as stack:
        read = _open(stack, name, _READ, source)
        found = os.fstat(read)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.ESTALE, f"{name!r} changed while it was copied")
        write = _open(stack, name, _CREATE, target, 0o600)
        _copy_content(read, write, found.st_size)
        _dress(read, write, found)


def _copy_content(read: int, write: int, size: int) -> None:
    """Copy the data and leave the holes."""
    position = 0
    while position < size:
        try:
            position = os.lseek(read, position, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            break
        end = os.lseek(read, position, os.SEEK_HOLE)
        os.lseek(write, position, os.SEEK_SET)
        while position < end:
            sent = os.sendfile(write, read, position, min(end - position, _CHUNK))
            if sent == 0:
                break
            position += sent
        if position < end:  # it shrank meanwhile
            break
    os.ftruncate(write, size)


def _dress(source: int, target: int, found: os.stat_result) -> None:
    """Give an open file or directory the owner, attributes, mode and times of another.

    In this order: a change of owner drops file capabilities (an attribute) and set-user-id.
    """
    os.fchown(target, found.st_uid, found.st_gid)
    for name in _attributes(source):
        if not name.startswith(_FOREIGN_ATTRIBUTES):
            _set_attribute(target, name, os.getxattr(source, name))
    os.fchmod(target, stat.S_IMODE(found.st_mode))
    os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))


def _attributes(source: int) -> list[str]:
    try:
        return os.listxattr(source)
    except OSError as error:
        if error.errno in _NO_ATTRIBUTES:
            return []
        raise


def _set_attribute(target: int, name: str, value: bytes) -> None:
    """Set an attribute where the target's file system has such."""
    try:
        os.setxattr(target, name, value)
    except OSError as error:
        if error.errno not in _NO_ATTRIBUTES:
            raise


def _dress_unopened(name: str, found: os.stat_result, directory: int) -> None:
    """Give a link, device or pipe, which must not be opened, its owner, mode and times."""
    os.chown(name, found.st_uid, found.st_gid, dir_fd=directory, follow_symlinks=False)
    if not stat.S_ISLNK(found.st_mode):
        with contextlib.ExitStack() as stack:
            entry = _open(stack, name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, directory)
            # chmod(2) on the descriptor's own entry reaches what is held, whatever the name is now.
            os.chmod(f"/proc/self/fd/{entry}", stat.S_IMODE(found.st_mode))
    os.utime(
        name,
        ns=(found.st_atime_ns, found.st_mtime_ns),
        dir_fd=directory,
        follow_symlinks=False,
    )


def _open(stack: contextlib.ExitStack, name: str, flags: int, directory: int, mode: int = 0) -> int:
    opened = os.open(name, flags, mode, dir_fd=directory)
    stack.callback(os.close, opened)
    return opened
