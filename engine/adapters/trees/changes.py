"""Compare the writable tree of a container with the layers below it, all by open directories.

No path is ever walked: the layers come from images and may hold links to anywhere. Whiteouts are
character devices 0/0, opaque directories have trusted.overlay.opaque=y (overlayfs.rst).
"""

from __future__ import annotations

import os
import stat

from engine.adapters.trees.pack import DIRECTORY, Packer, listing, open_passing

MODIFIED, ADDED, DELETED = 0, 1, 2
_MAX_DEPTH = 900


class Survey:
    """What changed: (path, kind) parents first, names in order.

    `kept` also has the parents of what changed; `opaque` the directories that hide others.
    """

    def __init__(self, placeholders: frozenset[bytes]) -> None:
        self._placeholders = placeholders
        self.changes: list[tuple[bytes, int]] = []
        self.kept: set[bytes] = set()
        self.opaque: set[bytes] = set()

    def look(self, upper: int, lowers: list[int], path: bytes = b"", depth: int = 0) -> bool:
        """Compare one directory; tell whether something was added or deleted in it."""
        if depth > _MAX_DEPTH:
            raise OSError(40, "directories nest too deep", path[:200])
        grew = False
        for item, found in listing(upper):
            below = path + b"/" + os.fsencode(item)
            existing = _existing(lowers, item)
            if is_whiteout(found):
                if existing is not None:
                    self._note(below, DELETED)
                    grew = True
            elif stat.S_ISDIR(found.st_mode):
                grew |= self._directory(upper, lowers, item, below, existing, depth)
            elif existing is not None:
                self._note(below, MODIFIED)
            elif not self._is_placeholder(below, found):
                self._note(below, ADDED)
                grew = True
        return grew

    def _directory(
        self,
        upper: int,
        lowers: list[int],
        item: str,
        path: bytes,
        existing: os.stat_result | None,
        depth: int,
    ) -> bool:
        opened = open_passing(item, DIRECTORY, upper)
        if opened is None:
            return False
        under: list[int] = []
        try:
            found = os.fstat(opened)
            place = len(self.changes)
            if not is_opaque(opened):
                under = _descend(lowers, item)
            elif existing is not None:
                self.opaque.add(path)
            grew = self.look(opened, under, path, depth + 1)
            changed_below = len(self.changes) > place
            if existing is not None:
                own = _differs(found, existing) or path in self.opaque
                own |= found.st_mtime_ns != existing.st_mtime_ns and not self._shelters(path)
                if grew or own:
                    self._insert(place, path, MODIFIED)
                elif changed_below:
                    self.kept.add(path)
                return False
            if path in self._placeholders and not changed_below:
                return False
            self._insert(place, path, ADDED)
            return True
        finally:
            os.close(opened)
            for each in under:
                os.close(each)

    def _is_placeholder(self, path: bytes, found: os.stat_result) -> bool:
        return path in self._placeholders and found.st_size == 0

    def _shelters(self, path: bytes) -> bool:
        """Tell whether the engine itself made mount points in a directory."""
        return any(each.rpartition(b"/")[0] == path for each in self._placeholders)

    def _note(self, path: bytes, kind: int) -> None:
        self.changes.append((path, kind))
        self.kept.add(path)

    def _insert(self, place: int, path: bytes, kind: int) -> None:
        self.changes.insert(place, (path, kind))
        self.kept.add(path)


def pack_changes(packer: Packer, upper: int, survey: Survey, path: bytes = b"") -> None:
    """Write a layer: what a survey kept, whiteouts and opaque marks as in the OCI image spec."""
    for item, found in listing(upper):
        below = path + b"/" + os.fsencode(item)
        if below not in survey.kept:
            continue
        name = below[1:]
        if is_whiteout(found):
            packer.whiteout(path[1:] + (b"/" if path else b"") + b".wh." + os.fsencode(item), found)
        elif stat.S_ISDIR(found.st_mode):
            opened = open_passing(item, DIRECTORY, upper)
            if opened is None:
                continue
            try:
                packer.directory(opened, name + b"/")
                if below in survey.opaque:
                    packer.whiteout(name + b"/.wh..wh..opq", found)
                pack_changes(packer, opened, survey, below)
            finally:
                os.close(opened)
        else:
            packer.leaf(upper, item, name, found)


def is_whiteout(found: os.stat_result) -> bool:
    """Tell whether an entry of a writable tree only hides what is below it."""
    return stat.S_ISCHR(found.st_mode) and found.st_rdev == 0


def is_opaque(directory: int) -> bool:
    """Tell whether nothing of the directories below shows through an open one."""
    try:
        return os.getxattr(directory, "trusted.overlay.opaque") == b"y"
    except OSError:
        return False


def _existing(lowers: list[int], item: str) -> os.stat_result | None:
    """Return what a container saw at first: that of the topmost layer that speaks of it."""
    for lower in lowers:
        try:
            found = os.stat(item, dir_fd=lower, follow_symlinks=False)
        except OSError:
            continue
        return None if is_whiteout(found) else found
    return None


def _descend(lowers: list[int], item: str) -> list[int]:
    """Open a directory in all layers that show through, top first."""
    opened: list[int] = []
    for lower in lowers:
        try:
            found = os.stat(item, dir_fd=lower, follow_symlinks=False)
        except OSError:
            continue
        below = open_passing(item, DIRECTORY, lower) if stat.S_ISDIR(found.st_mode) else None
        if below is None:
            break
        opened.append(below)
        if is_opaque(below):
            break
    return opened


def _differs(one: os.stat_result, other: os.stat_result) -> bool:
    return (one.st_mode, one.st_uid, one.st_gid) != (other.st_mode, other.st_uid, other.st_gid)
