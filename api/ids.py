"""Identifiers: 64 hex digits for containers, networks and execs, of which 12 are the short form.

Objects of a cluster have 25 letters and digits instead.
"""

from __future__ import annotations

import secrets


def new_id() -> str:
    """Return a fresh random identifier: 64 lower-case hex digits, never all decimal.

    An identifier whose short form is a number could be mistaken for one (a container's default
    host name is its short id), so such are drawn again.
    """
    while (fresh := secrets.token_hex(32))[:12].isdecimal():
        pass
    return fresh


def short_id(full: str) -> str:
    """Return the first 12 digits, after any algorithm (`sha256:`)."""
    return full.rpartition(":")[2][:12]


_OBJECT_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_OBJECT_LENGTH = 25


def new_object_id() -> str:
    """Return a fresh random identifier of a cluster's object: 25 lower-case letters and digits."""
    number = secrets.randbits(128)
    digits = []
    for _ in range(_OBJECT_LENGTH):
        number, digit = divmod(number, len(_OBJECT_DIGITS))
        digits.append(_OBJECT_DIGITS[digit])
    return "".join(digits)
