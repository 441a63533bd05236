"""Moments as the API writes them, and back: RFC 3339 in UTC, nanoseconds since the epoch."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from api.types.objects import ZERO_TIME

_NS = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FORM = re.compile(r"(.{19})(?:\.([0-9]{1,9})[0-9]*)?(Z|[+-][0-9]{2}:[0-9]{2})")


def to_api_time(moment_ns: int) -> str:
    """Return RFC 3339 without trailing zeros, as Go prints it; 0 is Go's zero time, year 1."""
    if moment_ns == 0:
        return ZERO_TIME
    seconds, fraction = divmod(moment_ns, _NS)
    if not fraction:
        return f"{_whole(seconds)}Z"
    return f"{_whole(seconds)}.{fraction:09}".rstrip("0") + "Z"


def from_api_time(text: str) -> int:
    """Return nanoseconds since the epoch; 0 for the zero time, and for what is no time at all.

    Agents and older dumps write these texts; one that cannot be read counts as never.
    """
    found = _FORM.fullmatch(text)
    if found is None or text == ZERO_TIME:
        return 0
    whole, fraction, zone = found.groups()
    return _seconds(whole + ("+00:00" if zone == "Z" else zone)) * _NS + int(
        (fraction or "").ljust(9, "0")
    )


@lru_cache(maxsize=1024)
def _whole(seconds: int) -> str:
    return f"{_EPOCH + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S}"


@lru_cache(maxsize=1024)
def _seconds(text: str) -> int:
    try:
        return (datetime.fromisoformat(text) - _EPOCH) // timedelta(seconds=1)
    except (ValueError, OverflowError):
        return 0
