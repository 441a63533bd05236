"""A small file beside raft.db that remembers how far the database had come.

SQLite takes a damaged or missing write-ahead log for one that was never written, and opens with
what came before. For consensus that would be a forgotten vote or a lost acknowledged entry. So each
transaction's number is also kept here, written after the commit and without its own fsync: it
survives a kill, and after a power cut it can only be behind. A database behind its mark is refused.
"""

from __future__ import annotations

import fcntl
import os
import struct
import zlib
from pathlib import Path

_BODY = struct.Struct(">8sQ")
_MARK = struct.Struct(">8sQL")
_MAGIC = b"skepmark"


class MarkDamaged(Exception):
    """The file is not what was written."""


class MarkTaken(Exception):
    """Another process holds the file."""


class Mark:
    """The number of the last transaction; holds the file exclusively until closed."""

    def __init__(self, path: Path) -> None:
        """Open the file. Errors: MarkTaken, FileNotFoundError, OSError."""
        self.path = path
        self._file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            raise MarkTaken(path) from error

    def read(self) -> int:
        """Return the number. Errors: MarkDamaged, OSError."""
        content = os.pread(self._file, _MARK.size + 1, 0)
        if len(content) != _MARK.size:
            raise MarkDamaged(self.path)
        magic, number, checksum = _MARK.unpack(content)
        if magic != _MAGIC or checksum != zlib.crc32(content[: _BODY.size]):
            raise MarkDamaged(self.path)
        return int(number)

    def write(self, number: int) -> None:
        """Remember a number that is durable elsewhere. Errors: OSError."""
        os.pwrite(self._file, _encode(number), 0)

    def sync(self) -> None:
        """Make it survive a power cut. Errors: OSError."""
        os.fsync(self._file)

    def close(self) -> None:
        """Let others have the file."""
        os.close(self._file)


def create_mark(path: Path) -> None:
    """Make a durable mark of number 0. Errors: OSError."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.pwrite(file, _encode(0), 0)
        os.fsync(file)
    finally:
        os.close(file)


def _encode(number: int) -> bytes:
    body = _BODY.pack(_MAGIC, number)
    return _MARK.pack(_MAGIC, number, zlib.crc32(body))
