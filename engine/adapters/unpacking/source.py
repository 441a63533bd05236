"""Where a tar's bytes come from: a plain file in memory, or a compressed or arriving stream."""

from __future__ import annotations

import importlib
import mmap
import os
import sys
import zlib

from engine.adapters.unpacking.tar import TarError

TYPE_CHECKING = False  # the module typing costs a process milliseconds
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from hashlib import _Hash
    from typing import Any

CHUNK = 1 << 20
_WINDOW_BYTES = 128 << 20
_ENDED = "unexpected end of the tar"


class PlainFile:
    """An uncompressed tar in a file, mapped, so that its bytes are copied once.

    Not by copy_file_range: on a blob that was just written it waits for the disk (ext4, Linux
    6.18: 2 s for 100 MB against 0.1 s).
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._map = mmap.mmap(fd, 0, prot=mmap.PROT_READ)
        self._view = memoryview(self._map)
        self._size = len(self._view)
        self._at = 0

    def read(self, count: int) -> bytes:
        """Return exactly so many bytes."""
        if count > self._size - self._at:
            raise TarError(_ENDED)
        return self.read_some(count)

    def read_some(self, count: int) -> bytes:
        """Return so many bytes, or fewer at the end."""
        found = self._map[self._at : self._at + count]
        self._at += len(found)
        return found

    def skip(self, count: int) -> None:
        """Pass over so many bytes."""
        if count > self._size - self._at:
            raise TarError(_ENDED)
        self._at += count

    def tell(self) -> int:
        """Return how many bytes were passed."""
        return self._at

    def copy_to(self, fd: int, count: int) -> None:
        """Write exactly so many bytes to a file, at its position."""
        if count > self._size - self._at:
            raise TarError(_ENDED)
        end = self._at + count
        while self._at < end:
            self._at += os.write(fd, self._view[self._at : min(end, self._at + CHUNK)])

    def drain(self) -> None:
        """Pass to the end."""
        self._at = self._size


class Stream:
    """A tar that comes in chunks; `hash` sees every byte once."""

    def __init__(self, chunks: Iterator[bytes], digest: _Hash | None = None) -> None:
        self._chunks = chunks
        self._hash = digest
        self._chunk = memoryview(b"")
        self._at = 0

    def read(self, count: int) -> bytes:
        """Return exactly so many bytes."""
        found = self.read_some(count)
        if len(found) < count:
            raise TarError(_ENDED)
        return found

    def read_some(self, count: int) -> bytes:
        """Return so many bytes, or fewer at the end."""
        if len(self._chunk) >= count:
            return self._take(count).tobytes()
        return b"".join(self._pieces(count))

    def skip(self, count: int) -> None:
        """Pass over so many bytes."""
        if sum(len(piece) for piece in self._pieces(count)) < count:
            raise TarError(_ENDED)

    def tell(self) -> int:
        """Return how many bytes were passed."""
        return self._at

    def copy_to(self, fd: int, count: int, digest: _Hash | None = None) -> None:
        """Write exactly so many bytes to a file; `digest` sees them too."""
        left = count
        for piece in self._pieces(count):
            left -= len(piece)
            if digest is not None:
                digest.update(piece)
            while piece:
                piece = piece[os.write(fd, piece) :]  # noqa: PLW2901 the rest of a short write
        if left:
            raise TarError(_ENDED)

    def drain(self) -> None:
        """Pass to the end, so that the hash has seen all."""
        self._chunk = memoryview(b"")
        while self._fill():
            self._chunk = memoryview(b"")

    def _pieces(self, count: int) -> Iterator[memoryview]:
        while count and (self._chunk or self._fill()):
            piece = self._take(min(count, len(self._chunk)))
            count -= len(piece)
            yield piece

    def _take(self, count: int) -> memoryview:
        piece = self._chunk[:count]
        self._chunk = self._chunk[count:]
        self._at += count
        return piece

    def _fill(self) -> bool:
        for chunk in self._chunks:
            if chunk:
                if self._hash is not None:
                    self._hash.update(chunk)
                self._chunk = memoryview(chunk)
                return True
        return False


def compression(head: bytes) -> str:
    """Return how a stream that begins so is compressed: gzip, zstd, bzip2, xz or ""."""
    if head.startswith(b"\x1f\x8b\x08"):
        return "gzip"
    if head.startswith(b"\x28\xb5\x2f\xfd") or (
        head[1:4] == b"\x2a\x4d\x18" and head[0] & 0xF0 == 0x50
    ):
        return "zstd"
    if head.startswith(b"BZh"):
        return "bzip2"
    return "xz" if head.startswith(b"\xfd7zXZ\0") else ""


def load_decompressor(kind: str, zstd_path: str) -> None:
    """Import what will be needed, while there is a file system to import from."""
    modules = {"gzip": "zlib", "bzip2": "bz2", "xz": "lzma", "zstd": "zstandard"}
    if kind == "zstd" and zstd_path:
        sys.path.append(zstd_path)
    if kind:
        importlib.import_module(modules[kind])


def decompressed(read: Callable[[int], bytes], zstd_path: str = "") -> Iterator[bytes]:
    """Yield a stream's uncompressed chunks, at most 1 MiB each; `read` gives b"" at the end.

    `zstd_path` is the directory that has the zstandard package, where sys.path lacks it.
    Errors:  TarError when the compressed data is damaged.
    """
    head = b""
    while len(head) < 6 and (more := read(CHUNK)):
        head += more
    kind = compression(head)
    if kind == "":
        yield head
        while chunk := read(CHUNK):
            yield chunk
    elif kind == "zstd":
        yield from _zstd(head, read, zstd_path)
    else:
        yield from _members(head, read, kind)


def _members(head: bytes, read: Callable[[int], bytes], kind: str) -> Iterator[bytes]:
    """Decompress one member after the other; zeros after the last are padding."""
    data = head
    while data:
        engine = _engine(kind)
        while not engine.eof:
            out = _step(engine, data, kind)
            if out:
                yield out
            data = getattr(engine, "unconsumed_tail", b"")
            if not data and not engine.eof and getattr(engine, "needs_input", True):
                data = read(CHUNK)
                if not data and not out:
                    raise TarError(f"unexpected end of the {kind} data")
        data = engine.unused_data.lstrip(b"\0")
        while not data and (more := read(CHUNK)):
            data = more.lstrip(b"\0")


def _step(engine: Any, data: bytes, kind: str) -> bytes:
    """Decompress some; `engine` is of zlib, bz2 or lzma, whose errors differ."""
    try:
        return bytes(engine.decompress(data, CHUNK))
    except (zlib.error, OSError, EOFError) as error:
        raise TarError(f"damaged {kind} data: {error}") from error
    except Exception as error:
        if type(error).__name__ != "LZMAError":
            raise
        raise TarError(f"damaged {kind} data: {error}") from error


def _engine(kind: str) -> Any:
    if kind == "gzip":
        return zlib.decompressobj(31)
    if kind == "bzip2":
        import bz2  # noqa: PLC0415 rare, and slow to import

        return bz2.BZ2Decompressor()
    import lzma  # noqa: PLC0415 rare, and slow to import

    return lzma.LZMADecompressor(memlimit=2 * _WINDOW_BYTES)


class _Joined:
    """A file-like object: the head that was looked at, then the rest."""

    def __init__(self, head: bytes, read: Callable[[int], bytes]) -> None:
        self._head = head
        self._read = read

    def read(self, count: int = -1) -> bytes:
        """Return some bytes, b"" at the end."""
        if self._head:
            head, self._head = self._head, b""
            return head
        return self._read(count if count > 0 else CHUNK)


def _zstd(head: bytes, read: Callable[[int], bytes], path: str) -> Iterator[bytes]:
    if path and path not in sys.path:
        sys.path.append(path)
    import zstandard  # noqa: PLC0415 only where a layer needs it

    engine = zstandard.ZstdDecompressor(max_window_size=_WINDOW_BYTES)
    reader = engine.stream_reader(_Joined(head, read), read_across_frames=True)  # type: ignore[arg-type]  # only read() is called
    try:
        while chunk := reader.read(CHUNK):
            yield chunk
    except zstandard.ZstdError as error:
        raise TarError(f"damaged zstd data: {error}") from error
