"""Walk a tree by open directories, following no link, and write it as a tar.

What vanishes or changes its kind during the walk is left out: containers go on working meanwhile.
"""

from __future__ import annotations

import errno
import os
import stat

from engine.adapters.trees import tarwriter
from engine.adapters.trees.tarwriter import Member, TarOutput
from engine.core.file_capabilities import capability_inside
from engine.core.id_maps import IdMaps

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLLOWING = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_MAX_DEPTH = 900
_FOREIGN = ("trusted.", "user.overlay.", "system.", "security.selinux", "security.ima")
_CAPABILITY = "security.capability"
_PASSING = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.ESTALE})


class Packer:
    """Writes entries of trees; files with several names are written once, then as hard links.

    With `ids`, owners are written as a user namespace of these maps has them.
    """

    def __init__(self, output: TarOutput, ids: IdMaps | None = None) -> None:
        self._output = output
        self._ids = ids
        self._links: dict[tuple[int, int], bytes] = {}

    def path(self, path: str, name: bytes) -> None:
        """Write what is at a path, its last part not followed; entries begin with `name`."""
        found = os.lstat(path)
        is_directory = stat.S_ISDIR(found.st_mode)
        above, _, item = path.rpartition("/")
        opened = os.open(path if is_directory else above or "/", _FOLLOWING)
        try:
            if is_directory:
                self.tree(opened, name if name.endswith(b"/") else name + b"/")
            else:
                self.leaf(opened, item, name, found)
        finally:
            os.close(opened)

    def tree(self, directory: int, name: bytes, depth: int = 0) -> None:
        """Write a directory and all below it; `name` ends with a slash, or is "" for no entry."""
        if depth > _MAX_DEPTH:
            raise OSError(errno.ELOOP, "directories nest too deep", name[:200])
        if name:
            self.directory(directory, name)
        for item, found in listing(directory):
            if not stat.S_ISDIR(found.st_mode):
                self.leaf(directory, item, name + os.fsencode(item), found)
                continue
            below = open_passing(item, DIRECTORY, directory)
            if below is not None:
                try:
                    self.tree(below, name + os.fsencode(item) + b"/", depth + 1)
                finally:
                    os.close(below)

    def directory(self, directory: int, name: bytes) -> None:
        """Write the entry of an open directory."""
        member = self._member(name, tarwriter.DIRECTORY, os.fstat(directory))
        member.xattrs = self._carried(directory)
        self._output.add(member)

    def leaf(self, parent: int, item: str, name: bytes, found: os.stat_result) -> None:
        """Write what is no directory; sockets are left out, as tar does."""
        kind = stat.S_IFMT(found.st_mode)
        if kind == stat.S_IFSOCK:
            return
        if found.st_nlink > 1:
            identity = (found.st_dev, found.st_ino)
            first = self._links.setdefault(identity, name)
            if first is not name:
                member = self._member(name, tarwriter.HARD_LINK, found)
                member.link = first
                self._output.add(member)
                return
        if kind == stat.S_IFREG:
            self._file(parent, item, name)
        else:
            self._special(parent, item, name, found)

    def whiteout(self, name: bytes, found: os.stat_result) -> None:
        """Write an empty file that says that something below is gone."""
        member = self._member(name, tarwriter.REGULAR, found)
        member.mode = 0
        self._output.add(member)

    def _file(self, parent: int, item: str, name: bytes) -> None:
        opened = open_passing(item, _READ, parent)
        if opened is None:
            return
        try:
            found = os.fstat(opened)
            if stat.S_ISREG(found.st_mode):
                member = self._member(name, tarwriter.REGULAR, found)
                member.size = found.st_size
                member.xattrs = self._carried(opened)
                self._output.add_file(member, opened)
        finally:
            os.close(opened)

    def _special(self, parent: int, item: str, name: bytes, found: os.stat_result) -> None:
        if stat.S_ISLNK(found.st_mode):
            member = self._member(name, tarwriter.SYMLINK, found)
            try:
                member.link = os.fsencode(os.readlink(item, dir_fd=parent))
            except OSError:
                return
        elif stat.S_ISFIFO(found.st_mode):
            member = self._member(name, tarwriter.FIFO, found)
        else:
            is_char = stat.S_ISCHR(found.st_mode)
            kind = tarwriter.CHAR if is_char else tarwriter.BLOCK_DEVICE
            member = self._member(name, kind, found)
            member.device = os.major(found.st_rdev), os.minor(found.st_rdev)
        self._output.add(member)

    def _member(self, name: bytes, kind: bytes, found: os.stat_result) -> Member:
        member = Member(name, kind, found)
        if self._ids is not None:
            member.uid, member.gid = self._ids.inside(member.uid, member.gid)
        return member

    def _carried(self, descriptor: int) -> dict[str, bytes]:
        kept = _attributes(descriptor)
        if self._ids is not None and _CAPABILITY in kept:
            kept[_CAPABILITY] = capability_inside(kept[_CAPABILITY], self._ids.root[0])
        return kept


def listing(directory: int) -> list[tuple[str, os.stat_result]]:
    """Return what an open directory holds, in the order of the names' bytes."""
    found = []
    with os.scandir(directory) as items:
        for item in items:
            try:
                found.append((item.name, item.stat(follow_symlinks=False)))
            except FileNotFoundError:
                continue
    found.sort(key=lambda pair: os.fsencode(pair[0]))
    return found


def open_passing(item: str, flags: int, parent: int) -> int | None:
    """Open an entry; None if it is gone or something else by now."""
    try:
        return os.open(item, flags, dir_fd=parent)
    except OSError as error:
        if error.errno in _PASSING:
            return None
        raise


def _attributes(descriptor: int) -> dict[str, bytes]:
    """Return the extended attributes that travel: capabilities and the users' own."""
    try:
        names = os.listxattr(descriptor)
    except OSError:
        return {}
    kept = {}
    for name in sorted(names):
        if not name.startswith(_FOREIGN):
            try:
                kept[name] = os.getxattr(descriptor, name)
            except OSError:
                continue
    return kept
