"""Compress a file with gzip while it is sent: blocks side by side, one stream.

Each block is deflated by a thread with the 32 KiB before it as its dictionary, so that the joined
blocks are one ordinary member, nearly as small as if done in one go. The same file gives the same
bytes, whatever the number of threads.
Source:  RFC 1951 (blocks), RFC 1952 (header and trailer).
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import struct
import zlib
from collections import deque
from collections.abc import AsyncIterator, Callable
from pathlib import Path

_BLOCK = 1 << 20
_WINDOW = 32 << 10
_LEVEL = 3
_STORED = 0
_SAMPLE = 16 << 10
_WORTH = 0.97
_AHEAD = max(2, min(4, os.cpu_count() or 1))
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


class GzipStream:
    """One pass over a file; `digest` and `size` are of the compressed bytes once all were read."""

    def __init__(self, path: Path, progress: Callable[[int], None]) -> None:
        self._path = path
        self._progress = progress
        self._hashed = hashlib.sha256()
        self.size = 0

    @property
    def digest(self) -> str:
        """`sha256:<hex>` of what was read so far."""
        return f"sha256:{self._hashed.hexdigest()}"

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the compressed bytes; `progress` gets how many plain bytes went into them."""
        with await asyncio.to_thread(self._path.open, "rb", 0) as file:
            waiting: deque[asyncio.Task[tuple[bytes, int]]] = deque()
            window, check, total, done, is_over = b"", 0, 0, 0, False
            yield await self._seal(_HEADER)
            try:
                while waiting or not is_over:
                    while not is_over and len(waiting) < _AHEAD:
                        block, check = await asyncio.to_thread(_read, file.fileno(), check)
                        is_over = len(block) < _BLOCK
                        total += len(block)
                        work = asyncio.to_thread(_deflate, block, window, is_last=is_over)
                        waiting.append(asyncio.create_task(work))
                        window = block[-_WINDOW:]
                    piece, count = await waiting.popleft()
                    done += count
                    yield await self._seal(piece)
                    self._progress(done)
            finally:
                for task in waiting:
                    task.cancel()
            yield await self._seal(struct.pack("<II", check, total & 0xFFFFFFFF))

    async def _seal(self, piece: bytes) -> bytes:
        self.size += len(piece)
        await asyncio.to_thread(self._hashed.update, piece)
        return piece


def _read(fd: int, check: int) -> tuple[bytes, int]:
    """Return a whole block, or the shorter last one, and the checksum with it."""
    parts: list[bytes] = []
    missing = _BLOCK
    while missing and (part := os.read(fd, missing)):
        parts.append(part)
        missing -= len(part)
    block = b"".join(parts)
    return block, zlib.crc32(block, check)


def _deflate(block: bytes, window: bytes, *, is_last: bool) -> tuple[bytes, int]:
    """Return the deflated block, ending at a byte's border, and how many bytes went in."""
    level = _LEVEL if _is_compressible(block) else _STORED
    if window:
        packer = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS, zdict=window)
    else:
        packer = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = packer.compress(block)
    return packed + packer.flush(zlib.Z_FINISH if is_last else zlib.Z_SYNC_FLUSH), len(block)


def _is_compressible(block: bytes) -> bool:
    """Tell from three samples whether packing is worth it: images hold much that is packed."""
    if len(block) < 8 * _SAMPLE:
        return True
    middle = len(block) // 2
    samples = block[:_SAMPLE] + block[middle : middle + _SAMPLE] + block[-_SAMPLE:]
    return len(zlib.compress(samples, 1)) < _WORTH * len(samples)
