"""The version of an object that an update is based on."""

from __future__ import annotations

from api.errors import InvalidArgument
from api.http.query import Arguments


def version_argument(noun: str, query: Arguments) -> int:
    """Return the argument `version`. Errors: InvalidArgument, in Docker's words."""
    text = query.text("version")
    if not text.isascii() or not text.isdecimal() or int(text) >= 1 << 64:
        shown = text[:64]
        raise InvalidArgument(
            f"invalid {noun} version '{shown}': strconv.ParseUint: parsing "
            f'"{shown}": invalid syntax'
        )
    return int(text)
