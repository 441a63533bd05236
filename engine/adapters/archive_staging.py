"""Take an image archive (a tar of blobs and small JSON files) apart while it arrives.

Every member becomes a file of its own at once, hashed on the way, so that a layer is a blob by a
rename. Members are never put where their names say: a name is only a key.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import os
import posixpath
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from api.errors import Internal, InvalidArgument, NotFound
from engine.adapters.byte_queue import read_in_thread
from engine.adapters.unpacking import tar
from engine.adapters.unpacking.source import Stream, decompressed
from engine.core.digest import algorithm_of, hex_of, member_algorithm
from engine.core.errors import NoSpaceLeft

_MAX_MEMBERS = 20_000
_MAX_LINKS = 8


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    digest: str
    size: int


class FileStaging:
    """Fulfils `Staging`: the members of one archive by their cleaned names.

    `blobs` is the layout's directory of that name.
    """

    def __init__(self, directory: Path, blobs: Path) -> None:
        self._directory = directory
        self._blobs = blobs
        self._files: dict[str, _File] = {}
        self._links: dict[str, str] = {}

    def names(self) -> set[str]:
        """Return the members' names, `a/b`, never with `..` or a leading slash."""
        return {*self._files, *self._links}

    def digest(self, name: str) -> str:
        """Return the digest of a member's content. Errors: NotFound."""
        return self._find(name).digest

    def size(self, name: str) -> int:
        """Return a member's bytes. Errors: NotFound."""
        return self._find(name).size

    def read(self, name: str, limit: int) -> bytes:
        """Return a small member. Errors: NotFound, InvalidArgument when it exceeds the limit."""
        found = self._find(name)
        if found.size > limit:
            raise InvalidArgument(f"{name} in the archive is larger than {limit} bytes")
        return found.path.read_bytes()

    async def keep(self, name: str) -> str:
        """Make a member a blob; return its digest. Errors: NotFound."""
        found = self._find(name)
        target = self._blobs / algorithm_of(found.digest) / hex_of(found.digest)
        await asyncio.to_thread(_keep, found.path, target)
        return found.digest

    async def discard(self) -> None:
        """Delete what was not kept."""
        await asyncio.to_thread(shutil.rmtree, self._directory, ignore_errors=True)

    def _find(self, name: str) -> _File:
        key = posixpath.normpath(name).lstrip("/")
        for _ in range(_MAX_LINKS):
            target = self._links.get(key)
            if target is None:
                break
            key = target
        try:
            return self._files[key]
        except KeyError:
            raise NotFound(f"{name} is not in the archive") from None

    def take(self, stream: Stream) -> None:
        """Read the whole archive; for a thread. Errors: TarError, OSError."""
        self._directory.mkdir(mode=0o700)
        for count, entry in enumerate(tar.entries(stream)):
            if count > _MAX_MEMBERS:
                raise tar.TarError(f"the archive has more than {_MAX_MEMBERS} members")
            name = _clean(entry.name)
            if entry.kind == tar.REGULAR and entry.regions is None:
                self._links.pop(name, None)
                self._files[name] = self._take_file(
                    stream, entry.size, count, member_algorithm(name)
                )
            elif entry.kind == tar.SYMLINK:
                target = posixpath.join(
                    posixpath.dirname(name), entry.link.decode(errors="replace")
                )
                self._links[name] = posixpath.normpath(target).lstrip("/")
            elif entry.kind == tar.HARD_LINK:
                self._links[name] = _clean(entry.link)
        stream.drain()

    def _take_file(self, stream: Stream, size: int, number: int, algorithm: str) -> _File:
        path = self._directory / str(number)
        hashed = hashlib.new(algorithm)
        fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            stream.copy_to(fd, size, hashed)
        finally:
            os.close(fd)
        return _File(path, f"{algorithm}:{hashed.hexdigest()}", size)


async def stage_archive(chunks: AsyncIterator[bytes], directory: Path, blobs: Path) -> FileStaging:
    """Take an archive apart in a thread while it arrives; plain or compressed.

    Errors:  InvalidArgument when it is no proper tar, Internal; nothing is left then.
    """
    staging = FileStaging(directory, blobs)
    try:
        await read_in_thread(chunks, lambda read: staging.take(Stream(decompressed(read))))
    except BaseException as error:
        await asyncio.shield(staging.discard())
        if isinstance(error, tar.TarError):
            raise InvalidArgument(f"invalid image archive: {error}") from error
        if isinstance(error, OSError):
            raise _disk_error(error) from error
        raise
    return staging


def _disk_error(error: OSError) -> Internal:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return NoSpaceLeft("the archive does not fit")
    return Internal(f"image storage: {error}")


def _clean(name: bytes) -> str:
    return posixpath.normpath(name.decode(errors="replace")).lstrip("/")


def _keep(source: Path, target: Path) -> None:
    with contextlib.suppress(FileExistsError):
        os.link(source, target)
