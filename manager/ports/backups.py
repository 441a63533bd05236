"""Backups of the cluster's whole state."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from msgspec import Struct


class BackupAbout(Struct, frozen=True):
    """What a backup tells without its key: whose state it is, as of which version, and when."""

    ClusterID: str
    Index: int
    CreatedAt: str
    NoncePrefix: str = ""


class Backups(Protocol):
    """Seals states under keys of their own, and opens them."""

    def seal(self, about: BackupAbout, pieces: Iterable[bytes]) -> tuple[str, Iterator[bytes]]:
        """Return a fresh key as operators copy it, and the backup's bytes."""
        ...

    def open(self, path: Path, key: str) -> Iterator[bytes]:
        """Yield the pieces of a backup; whoever uses them must have seen the iterator's end.

        Errors:  BadBackup, possibly after some good pieces.
        """
        ...
