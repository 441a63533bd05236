"""Files that are there whole, or as they were before: across kill -9 and power cuts."""

from __future__ import annotations

import os
from pathlib import Path

_TEMPORARY = ".new"


def replace_file(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Put the content at the path, on disk before this returns; nobody ever reads half of it.

    One writer at a time; what a killed one left beside the path is overwritten.
    """
    temporary = path.with_name(path.name + _TEMPORARY)
    write_file(temporary, content, mode)
    temporary.replace(path)
    sync_directory(path.parent)


def write_file(path: Path, content: bytes, mode: int) -> None:
    """Write a file that nobody reads yet, to the disk itself; it is never more open than mode."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def sync_directory(path: Path) -> None:
    """Have the directory's entries on disk before this returns."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
