"""Blobs in an OCI image layout: <data root>/images/{oci-layout,blobs/<algorithm>/<hex>}.

A blob is written under `incoming` and renamed when it is whole and its digest is known; downloads
that may go on later are under `partial`.
Source:  OCI image spec, image-layout.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import os
import secrets
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path

from api.errors import Internal, InvalidArgument, NotFound
from api.references import DIGEST_HEX_LENGTHS, is_digest
from engine.adapters.archive_staging import FileStaging, stage_archive
from engine.adapters.byte_queue import read_in_thread
from engine.adapters.gzip_stream import GzipStream
from engine.adapters.unpacking.source import decompressed
from engine.adapters.unpacking.tar import TarError
from engine.core.digest import algorithm_of, hex_of
from engine.core.errors import NoSpaceLeft

_CHUNK = 1 << 20
_ALGORITHMS = tuple(DIGEST_HEX_LENGTHS)


class FileBlobStore:
    """Fulfils `BlobStore` on files."""

    def __init__(self, data_root: Path) -> None:
        root = data_root / "images"
        self._blobs = root / "blobs"
        self._incoming = root / "incoming"
        self._partial = root / "partial"
        for directory in (root, self._blobs, self._incoming, self._partial):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for algorithm in _ALGORITHMS:
            (self._blobs / algorithm).mkdir(mode=0o700, exist_ok=True)
        (root / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')

    def path(self, digest: str) -> Path:
        """Return where a blob is, or would be."""
        assert is_digest(digest), digest
        return self._blobs / algorithm_of(digest) / hex_of(digest)

    def has(self, digest: str) -> bool:
        """Tell whether the whole blob is here."""
        return is_digest(digest) and self.path(digest).exists()

    def size(self, digest: str) -> int:
        """Return a blob's bytes. Errors: NotFound."""
        try:
            return self.path(digest).stat().st_size
        except FileNotFoundError as error:
            raise NotFound(f"blob {digest} not found") from error

    def read(self, digest: str) -> bytes:
        """Return a small blob. Errors: NotFound."""
        try:
            return self.path(digest).read_bytes()
        except FileNotFoundError as error:
            raise NotFound(f"blob {digest} not found") from error

    def head(self, digest: str, count: int) -> bytes:
        """Return a blob's first bytes. Errors: NotFound."""
        try:
            with self.path(digest).open("rb", 0) as file:
                return file.read(count)
        except FileNotFoundError as error:
            raise NotFound(f"blob {digest} not found") from error

    async def chunks(self, digest: str) -> AsyncIterator[bytes]:
        """Yield a blob's content in pieces of 1 MiB."""
        try:
            file = await asyncio.to_thread(self.path(digest).open, "rb", 0)
        except FileNotFoundError as error:
            raise NotFound(f"blob {digest} not found") from error
        with file:
            while piece := await asyncio.to_thread(file.read, _CHUNK):
                yield piece

    def compressed(self, digest: str, progress: Callable[[int], None]) -> GzipStream:
        """Return a blob as gzip makes it."""
        return GzipStream(self.path(digest), progress)

    async def ingest(
        self, chunks: AsyncIterator[bytes], digest: str | None = None, size: int | None = None
    ) -> tuple[str, int]:
        """Store a stream; return (digest, size)."""
        temporary = self._incoming / secrets.token_hex(8)
        hashed = hashlib.new(algorithm_of(digest))
        total = 0
        try:
            with await asyncio.to_thread(temporary.open, "xb", 0) as file:
                async for piece in _gathered(chunks):
                    total += len(piece)
                    if size is not None and total > size:
                        raise InvalidArgument(f"blob is larger than the {size} bytes it should be")
                    await asyncio.to_thread(_write, file.fileno(), hashed, piece)
            found = f"{algorithm_of(digest)}:{hashed.hexdigest()}"
            _verify(found, total, digest, size)
            await asyncio.to_thread(temporary.rename, self.path(found))
        except OSError as error:
            raise storage_error(error) from error
        finally:
            temporary.unlink(missing_ok=True)
        return found, total

    async def ingest_plain(self, chunks: AsyncIterator[bytes]) -> tuple[str, int]:
        """Store a stream uncompressed, whatever it was compressed by; return (digest, size)."""
        temporary = self._incoming / secrets.token_hex(8)
        try:
            found, total = await read_in_thread(chunks, lambda read: _write_plain(temporary, read))
            await asyncio.to_thread(temporary.rename, self.path(found))
        except TarError as error:
            raise InvalidArgument(f"invalid archive: {error}") from error
        except OSError as error:
            raise storage_error(error) from error
        finally:
            temporary.unlink(missing_ok=True)
        return found, total

    async def delete(self, digest: str) -> None:
        """Forget a blob and its partial; fine if gone.

        The blob is out of its place before this first waits, so that who checked that nobody
        needs it was right; freeing its space takes longer, and a thread.
        """
        aside = self._incoming / secrets.token_hex(8)
        with contextlib.suppress(FileNotFoundError):
            self.path(digest).rename(aside)
        await asyncio.to_thread(_unlink, [aside, self.partial(digest)[0]])

    def partial(self, digest: str) -> tuple[Path, int]:
        """Return where a blob's first bytes are gathered, and how many there are now."""
        path = self._partial / self.path(digest).name
        try:
            return path, path.stat().st_size
        except FileNotFoundError:
            return path, 0

    async def commit_partial(self, digest: str, size: int | None = None) -> int:
        """Make a whole partial the blob; return its size."""
        path, _ = self.partial(digest)
        try:
            found, total = await asyncio.to_thread(_hash_file, path, algorithm_of(digest))
            _verify(found, total, digest, size)
            await asyncio.to_thread(path.rename, self.path(digest))
        except OSError as error:
            raise storage_error(error) from error
        finally:
            path.unlink(missing_ok=True)
        return total

    async def stage(self, chunks: AsyncIterator[bytes]) -> FileStaging:
        """Take an image archive apart; see `archive_staging`."""
        directory = self._incoming / secrets.token_hex(8)
        return await stage_archive(chunks, directory, self._blobs)

    def digests(self) -> set[str]:
        """Return every whole blob."""
        return {
            f"{algorithm}:{name}"
            for algorithm in _ALGORITHMS
            for name in os.listdir(self._blobs / algorithm)
        }

    async def sweep(self, keep: set[str]) -> None:
        """Delete what is half-written and all blobs but `keep`; for the start of the daemon."""
        await asyncio.to_thread(self._sweep, keep)

    def _sweep(self, keep: set[str]) -> None:
        _unlink(self.path(digest) for digest in self.digests() - keep)
        for left in (*self._incoming.iterdir(), *self._partial.iterdir()):
            if left.is_dir():
                _unlink(left.iterdir())
                left.rmdir()
            else:
                left.unlink(missing_ok=True)


def storage_error(error: OSError) -> Internal:
    """Return the answer for a failure of the disk under the images."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return NoSpaceLeft("the data root cannot take the image")
    return Internal(f"image storage: {error}")


async def _gathered(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the stream in pieces of about 1 MiB, so that a thread is worth its wake-up."""
    pending: list[bytes] = []
    size = 0
    async for chunk in chunks:
        pending.append(chunk)
        size += len(chunk)
        if size >= _CHUNK:
            yield b"".join(pending)
            pending, size = [], 0
    if size:
        yield b"".join(pending)


def _write(fd: int, hashed: hashlib._Hash, piece: bytes) -> None:
    hashed.update(piece)
    view = memoryview(piece)
    while view:
        view = view[os.write(fd, view) :]


def _write_plain(path: Path, read: Callable[[int], bytes]) -> tuple[str, int]:
    hashed = hashlib.sha256()
    total = 0
    with path.open("xb", 0) as file:
        for piece in decompressed(read):
            _write(file.fileno(), hashed, piece)
            total += len(piece)
    return f"sha256:{hashed.hexdigest()}", total


def _hash_file(path: Path, algorithm: str) -> tuple[str, int]:
    with path.open("rb") as file:
        hashed = hashlib.file_digest(file, algorithm)
        return f"{algorithm}:{hashed.hexdigest()}", file.tell()


def _verify(found: str, total: int, digest: str | None, size: int | None) -> None:
    if size is not None and total != size:
        raise InvalidArgument(f"blob has {total} bytes and should have {size}")
    if digest is not None and found != digest:
        raise InvalidArgument(f"filesystem layer verification failed for digest {digest}")


def _unlink(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
