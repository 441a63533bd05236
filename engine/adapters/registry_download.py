"""A blob's file while it is downloaded: written in threads, in large pieces."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

from api.errors import Internal, InvalidArgument
from engine.core.errors import NoSpaceLeft

_PIECE = 1 << 20
_MAX_BUFFERS = 512


class BlobFile:
    """Appends to a file; one writer. `size` counts what is written."""

    def __init__(self, path: Path, total: int, progress: Callable[[int], None]) -> None:
        self._path = path
        self._total = total
        self._progress = progress
        self._fd = -1
        self.size = 0

    @classmethod
    @asynccontextmanager
    async def open(
        cls, path: Path, total: int, progress: Callable[[int], None]
    ) -> AsyncIterator[Self]:
        """Open the file where it ended; a file that is too long is begun anew."""
        file = cls(path, total, progress)
        await asyncio.to_thread(file._open)
        try:
            yield file
        finally:
            os.close(file._fd)

    @property
    def is_whole(self) -> bool:
        """Tell whether all bytes are there."""
        return self.size == self._total

    async def restart(self) -> None:
        """Forget what there was."""
        await asyncio.to_thread(os.ftruncate, self._fd, 0)
        self.size = 0

    async def take(self, chunks: AsyncIterator[bytes]) -> None:
        """Append chunks as they come; the next are received while the last are written.

        Errors:  InvalidArgument when more comes than the blob has, Internal when the disk refuses.
        """
        pending: list[bytes] = []
        count = 0
        writing: asyncio.Future[None] | None = None
        loop = asyncio.get_running_loop()
        try:
            async for chunk in chunks:
                pending.append(chunk)
                count += len(chunk)
                received = self.size + count
                if received > self._total:
                    raise InvalidArgument(f"size mismatch: more than {self._total} bytes came")
                if count >= _PIECE or len(pending) >= _MAX_BUFFERS:
                    if writing is not None:
                        await writing
                    writing = loop.run_in_executor(None, self._write, pending)
                    self.size += count
                    pending, count = [], 0
                    self._progress(received)
        finally:
            await self._finish(writing, pending)

    async def _finish(self, writing: asyncio.Future[None] | None, pending: list[bytes]) -> None:
        """Write the rest, also when the connection broke: it will be resumed from there."""
        if writing is not None:
            await asyncio.shield(writing)
        if pending and self.size + sum(map(len, pending)) <= self._total:
            await asyncio.to_thread(self._write, pending)
            self.size += sum(map(len, pending))
            self._progress(self.size)

    def _open(self) -> None:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
            self._fd = os.open(self._path, flags, 0o600)
            self.size = os.fstat(self._fd).st_size
            if self.size > self._total:
                os.ftruncate(self._fd, 0)
                self.size = 0
        except OSError as error:
            raise Internal(f"open {self._path}: {error.strerror}") from error

    def _write(self, pieces: list[bytes]) -> None:
        try:
            left = sum(map(len, pieces))
            written = os.writev(self._fd, pieces)
            if written < left:
                rest = memoryview(b"".join(pieces))[written:]
                while rest:
                    rest = rest[os.write(self._fd, rest) :]
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise NoSpaceLeft("the data root cannot take the image") from error
            raise Internal(f"write {self._path}: {error.strerror}") from error
