"""Secrecy and integrity of what lies on disk."""

from __future__ import annotations

from typing import Protocol

from api.errors import Internal


class CannotOpen(Internal):
    """What was sealed does not open: another key, another place, or damaged."""

    def __init__(self) -> None:
        super().__init__("sealed data does not open: it is damaged, or was sealed by another key")


class Cipher(Protocol):
    """Authenticated encryption; safe to call from several threads at once.

    What was sealed opens only with the same `associated` bytes, so that a record which was moved
    to the place of another one is noticed.
    """

    def seal(self, plain: bytes, associated: bytes) -> bytes:
        """Return the bytes encrypted under the newest key."""
        ...

    def open(self, sealed: bytes, associated: bytes) -> bytes:
        """Return what was sealed. Errors: CannotOpen."""
        ...
