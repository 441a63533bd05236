"""Put a tar's entries into a directory of a container, with the rules of `docker cp`.

The process was locked into the container's tree, so no path, link or `..` leads out of it.
"""

from __future__ import annotations

import errno
import os
import stat

from engine.adapters.unpacking import tar, tree
from engine.adapters.unpacking.source import Stream
from engine.adapters.unpacking.tar import Entry
from engine.core.id_maps import IdMaps


class Overwrites(tar.TarError):
    """A directory would take the place of something else, or the other way round."""


def place(
    source: Stream,
    directory: str,
    *,
    keep_kinds: bool,
    owner: tuple[int, int] | None,
    ids: IdMaps | None = None,
) -> None:
    """Put all entries below a directory, which becomes the working directory.

    `keep_kinds` refuses to replace a directory by something else or the reverse; `owner` is
    everything's owner in place of the tar's. With `ids`, owners are numbers of a user namespace.
    Errors:  TarError, Overwrites, OSError; what was put so far stays.
    """
    try:
        os.chdir(directory)
    except NotADirectoryError:
        raise tar.TarError("extraction point is not a directory") from None
    target = tree.Tree(source, over_lower=False, ids=ids)
    for entry in tar.entries(source):
        path = tree.clean(entry.name)
        if path == b".":
            continue
        if keep_kinds:
            _check_kind(path, entry)
        if owner is not None:
            entry.uid, entry.gid = owner
        target.place(path, entry)
    target.finish()
    source.drain()


def _check_kind(path: bytes, entry: Entry) -> None:
    try:
        is_directory = stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ENOTDIR}:
            return
        raise
    becomes_directory = entry.kind == tar.DIRECTORY
    if is_directory == becomes_directory:
        return
    kinds = ("directory", "non-directory") if is_directory else ("non-directory", "directory")
    shown = path[:200].decode(errors="replace")
    raise Overwrites(f'cannot overwrite {kinds[0]} "{shown}" with {kinds[1]} "{shown}"')
