"""Put a tar's entries into the directory that is this process's root.

The process was chrooted, so the kernel itself keeps every path, link and `..` inside; the checks
here are for clear answers, not for safety.
Source:  OCI image spec, layer.md ("Representing Changes", whiteouts); overlayfs.rst (whiteouts
         are character devices 0/0, opaque directories have trusted.overlay.opaque=y).
"""

from __future__ import annotations

import errno
import os
import stat

from engine.adapters.unpacking import tar
from engine.adapters.unpacking.tar import Entry, Source, TarError
from engine.core.file_capabilities import capability_outside
from engine.core.id_maps import IdMaps, NotMapped

TYPE_CHECKING = False  # the module typing costs a process milliseconds
if TYPE_CHECKING:
    from typing import Protocol
else:
    Protocol = object

_WHITEOUT = b".wh."
_OPAQUE = b".wh..wh..opq"
_META = b".wh..wh."
_OVERLAY_XATTRS = (b"trusted.overlay.", b"user.overlay.")
_CAPABILITY = b"security.capability"
_NEW_FILE = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC


class Data(Source, Protocol):
    """A source that can write its next bytes to a file."""

    def copy_to(self, fd: int, count: int) -> None:
        """Write exactly so many bytes to a file, at its position."""


class Tree:
    """Applies entries one by one; `finish` sets the times of directories.

    `over_lower` tells that the layer lies over others: else whiteouts have nothing to hide. The
    entries' owners are those of a user namespace where `ids` has its maps.
    """

    def __init__(self, source: Data, *, over_lower: bool, ids: IdMaps | None = None) -> None:
        self._source = source
        self._over_lower = over_lower
        self._ids = ids
        self._root = ids.root if ids else None
        self._directory_times: dict[bytes, int] = {}
        self.size = 0

    def apply(self, entry: Entry) -> None:
        """Make one entry. Errors: TarError, OSError."""
        path = clean(entry.name)
        base = path.rpartition(b"/")[2]
        if base.startswith(_WHITEOUT):
            self._whiteout(path, base)
        elif path == b".":
            if entry.kind == tar.DIRECTORY:
                self._map(entry)
                self._directory(path, entry)
        else:
            self.place(path, entry)

    def finish(self) -> None:
        """Set the directories' times, which making their content changed."""
        for path, moment_ns in self._directory_times.items():
            try:
                os.utime(path, ns=(moment_ns, moment_ns), follow_symlinks=False)
            except (FileNotFoundError, NotADirectoryError):
                continue

    def place(self, path: bytes, entry: Entry) -> None:
        """Make one entry at a clean path, whatever its name means in layers."""
        self._map(entry)
        try:
            self._make_once(path, entry)
        except FileNotFoundError:
            make_parents(path, self._root)
            self._make_once(path, entry)

    def _map(self, entry: Entry) -> None:
        """Turn an entry's owner into the host's numbers."""
        if self._ids is None:
            return
        try:
            entry.uid, entry.gid = self._ids.outside(entry.uid, entry.gid)
        except NotMapped as error:
            raise TarError(f"{_shown(entry.name)}: {error}") from None
        if _CAPABILITY in entry.xattrs:
            held = capability_outside(entry.xattrs[_CAPABILITY], self._ids.root[0])
            entry.xattrs = {**entry.xattrs, _CAPABILITY: held}

    def _make_once(self, path: bytes, entry: Entry) -> None:
        kind = entry.kind
        if kind == tar.REGULAR:
            self._file(path, entry)
        elif kind == tar.DIRECTORY:
            self._directory(path, entry)
        elif kind == tar.SYMLINK:
            _anew(path, lambda: os.symlink(entry.link, path))
            self._attributes(path, entry)
        elif kind == tar.HARD_LINK:
            _hard_link(path, clean(entry.link))
        elif kind in {tar.CHAR, tar.BLOCK_DEVICE, tar.FIFO}:
            _anew(path, lambda: _node(path, entry))
            os.chmod(path, entry.mode)
            self._attributes(path, entry)
        else:
            raise TarError(f"unknown kind of tar entry {kind!r}: {_shown(path)}")

    def _file(self, path: bytes, entry: Entry) -> None:
        try:
            fd = os.open(path, _NEW_FILE, 0o600)
        except FileExistsError:
            remove(path)
            fd = os.open(path, _NEW_FILE, 0o600)
        try:
            if entry.regions is None:
                if entry.size:
                    self._source.copy_to(fd, entry.size)
            else:
                for offset, length in entry.regions:
                    os.lseek(fd, offset, os.SEEK_SET)
                    self._source.copy_to(fd, length)
                os.ftruncate(fd, entry.real_size)
            os.fchown(fd, entry.uid, entry.gid)
            os.fchmod(fd, entry.mode)
            if entry.xattrs:
                _set_xattrs(fd, entry)
            os.utime(fd, ns=(entry.mtime_ns, entry.mtime_ns))
        finally:
            os.close(fd)
        self.size += entry.size

    def _directory(self, path: bytes, entry: Entry) -> None:
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            if not stat.S_ISDIR(os.lstat(path).st_mode):
                remove(path)
                os.mkdir(path, 0o700)
        os.chown(path, entry.uid, entry.gid)
        os.chmod(path, entry.mode)
        if entry.xattrs:
            _set_xattrs(path, entry)
        self._directory_times[path] = entry.mtime_ns

    def _attributes(self, path: bytes, entry: Entry) -> None:
        os.chown(path, entry.uid, entry.gid, follow_symlinks=False)
        if entry.kind != tar.SYMLINK:
            os.chmod(path, entry.mode)
        if entry.xattrs:
            _set_xattrs(path, entry)
        os.utime(path, ns=(entry.mtime_ns, entry.mtime_ns), follow_symlinks=False)

    def _whiteout(self, path: bytes, base: bytes) -> None:
        parent = path.rpartition(b"/")[0] or b"."
        if base == _OPAQUE:
            if self._over_lower:
                make_parents(path, self._root)
                os.setxattr(parent, b"trusted.overlay.opaque", b"y")
            return
        if base.startswith(_META):
            return
        name = base[len(_WHITEOUT) :]
        if name in {b"", b".", b".."}:
            raise TarError(f"whiteout of nothing: {_shown(path)}")
        if self._over_lower:
            make_parents(path, self._root)
            _hide(parent + b"/" + name)


def clean(name: bytes) -> bytes:
    """Return a path relative to the root; "." for the root itself.

    Errors:  TarError when `..` leads above the root.
    """
    parts: list[bytes] = []
    for part in name.split(b"/"):
        if part == b"..":
            if not parts:
                raise TarError(f"path outside of the layer: {_shown(name)}")
            parts.pop()
        elif part not in {b"", b"."}:
            parts.append(part)
    return b"/".join(parts) or b"."


def make_parents(path: bytes, owner: tuple[int, int] | None = None) -> None:
    """Make the directories above a path that are missing, as root's or `owner`'s, mode 0755."""
    at = path.find(b"/")
    while at > 0:
        try:
            os.mkdir(path[:at], 0o755)
            if owner is not None:
                os.chown(path[:at], *owner, follow_symlinks=False)
        except FileExistsError:
            pass
        at = path.find(b"/", at + 1)


def remove(path: bytes) -> None:
    """Delete what is at a path, a whole tree too; fine if gone.

    Directories are moved up to the root before they are emptied, so that no depth is too deep.
    """
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    except IsADirectoryError:
        _remove_tree(path)


def _remove_tree(path: bytes) -> None:
    pending = [path]
    count = 0
    while pending:
        directory = pending[-1]
        moved = False
        with os.scandir(directory) as found:
            for item in found:
                if item.is_dir(follow_symlinks=False):
                    count += 1
                    aside = b".skep-removed-%d" % count
                    while os.path.lexists(aside):
                        count += 1
                        aside = b".skep-removed-%d" % count
                    os.rename(item.path, aside)
                    pending.append(aside)
                    moved = True
                else:
                    os.unlink(item.path)
        if not moved:
            os.rmdir(directory)
            pending.pop()


def _hide(path: bytes) -> None:
    """Put a whiteout at a path; what this layer itself has there hides the lower one by itself."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        os.mknod(path, stat.S_IFCHR, os.makedev(0, 0))
        return
    if stat.S_ISDIR(found.st_mode):
        os.setxattr(path, b"trusted.overlay.opaque", b"y")


def _hard_link(path: bytes, target: bytes) -> None:
    if path == target:
        return
    try:
        _anew(path, lambda: os.link(target, path, follow_symlinks=False))
    except FileNotFoundError:
        if not os.path.lexists(target):
            raise TarError(f"hard link to {_shown(target)}, which the layer lacks") from None
        raise
    except PermissionError:
        raise TarError(f"hard link to {_shown(target)}, which is a directory") from None


def _anew(path: bytes, make: object) -> None:
    """Call `make`, replacing what is at the path."""
    assert callable(make)
    try:
        make()
    except FileExistsError:
        remove(path)
        make()


def _node(path: bytes, entry: Entry) -> None:
    kinds = {tar.CHAR: stat.S_IFCHR, tar.BLOCK_DEVICE: stat.S_IFBLK, tar.FIFO: stat.S_IFIFO}
    major, minor = entry.device
    if not (0 <= major < 1 << 12 and 0 <= minor < 1 << 20):
        raise TarError(f"device number out of range: {_shown(path)}")
    os.mknod(path, kinds[entry.kind] | 0o600, os.makedev(major, minor))


def _set_xattrs(where: int | bytes, entry: Entry) -> None:
    for name, value in entry.xattrs.items():
        if name.startswith(_OVERLAY_XATTRS):
            continue  # these would steer overlayfs itself
        try:
            if isinstance(where, int):
                os.setxattr(where, name, value)
            else:
                os.setxattr(where, name, value, follow_symlinks=False)
        except OSError as error:
            ignored = error.errno == errno.ENOTSUP or (
                error.errno == errno.EPERM and name != _CAPABILITY
            )
            if error.errno in {errno.ENOSPC, errno.E2BIG, errno.ERANGE, errno.EINVAL}:
                text = f"extended attribute {_shown(name)} of {_shown(entry.name)}: {error}"
                raise TarError(text) from error
            if not ignored:
                raise


def _shown(name: bytes) -> str:
    return name[:200].decode(errors="replace")
