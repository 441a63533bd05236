"""The files of one log: `X` that is written to now, `X.1`, `X.2.gz` and so on that were set aside.

A compressed file tells in its gzip header (FNAME) the inode of the plain file that it was made
of, so that a reader who holds that plain file knows where in the row it stands.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import stat
import threading
import zlib
from dataclasses import dataclass
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)

_FNAME_FLAG = 0x08
_HEADER_BYTES = 10
_CHUNK = 1 << 20
_LEVEL = 1  # logs shrink well at any level; the machine has containers to run


@dataclass(slots=True)
class Segment:
    """An open file of a log; `unfold` makes a compressed one readable at any offset."""

    fd: int
    device: int
    inode: int
    is_compressed: bool

    def is_same(self, other: Segment) -> bool:
        """Tell whether both are the same records, compressed or not."""
        return (self.device, self.inode) == (other.device, other.inode)

    def close(self) -> None:
        """Close the file."""
        os.close(self.fd)

    def unfold(self, directory: Path) -> None:
        """Decompress into a nameless file; a damaged rest is left out. Errors: OSError."""
        if not self.is_compressed:
            return
        plain = os.open(directory, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(os.dup(self.fd), "rb") as packed, gzip.open(packed) as unpacked:
                while chunk := unpacked.read(_CHUNK):
                    _write_all(plain, chunk)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            log.warning("log.damaged", directory=str(directory), reason=str(error))
        except BaseException:
            os.close(plain)
            raise
        os.close(self.fd)
        self.fd, self.is_compressed = plain, False


def aside_numbers(path: Path) -> dict[int, Path]:
    """Return the files that were set aside by number, 1 is the newest; a plain one wins."""
    found: dict[int, Path] = {}
    with contextlib.suppress(FileNotFoundError), os.scandir(path.parent) as entries:
        for entry in entries:
            stem, is_compressed = entry.name.removesuffix(".gz"), entry.name.endswith(".gz")
            base, _, number = stem.rpartition(".")
            if base != path.name or not number.isdecimal():
                continue
            if not is_compressed or int(number) not in found:
                found[int(number)] = path.with_name(entry.name)
    return found


def open_segments(path: Path) -> list[Segment]:
    """Open all files of a log, oldest first."""
    aside = aside_numbers(path)
    opened: list[Segment] = []
    for each in [*(aside[number] for number in sorted(aside, reverse=True)), path]:
        segment = open_segment(each)
        if segment is not None:
            opened.append(segment)
    return opened


def open_segment(path: Path) -> Segment | None:
    """Open a log file; None when there is none, or something else stands in its place."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        log.warning("log.unreadable", path=str(path), errno=error.errno)
        return None
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode):
        os.close(fd)
        return None
    is_compressed = path.suffix == ".gz"
    inode = _told_inode(fd) if is_compressed else found.st_ino
    return Segment(fd, found.st_dev, inode, is_compressed)


def compress(path: Path, renaming: threading.Lock) -> None:
    """Put `path`.gz in the place of a file that is written to no more. Errors: OSError."""
    unfinished = path.with_name(f"{path.name}.gz.tmp")
    try:
        _pack(path, unfinished)
    except OSError:
        unfinished.unlink(missing_ok=True)  # on a full disk every block counts
        raise
    with renaming:
        unfinished.rename(path.with_name(f"{path.name}.gz"))
        path.unlink()


def _pack(path: Path, target: Path) -> None:
    with path.open("rb") as plain, target.open("wb") as out:
        found = os.fstat(plain.fileno())
        os.fchmod(out.fileno(), 0o640)
        with gzip.GzipFile(str(found.st_ino), "wb", _LEVEL, out, int(found.st_mtime)) as packed:
            while chunk := plain.read(_CHUNK):
                packed.write(chunk)


def _told_inode(fd: int) -> int:
    head = os.pread(fd, 64, 0)
    if len(head) < _HEADER_BYTES or not head[3] & _FNAME_FLAG:
        return 0
    name = head[_HEADER_BYTES:].partition(b"\0")[0]
    return int(name) if name.isdigit() else 0


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
