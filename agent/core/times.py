"""Moments as the API writes them."""

from __future__ import annotations

from datetime import UTC, datetime

_NS = 1_000_000_000


def to_api_time(moment_ns: int) -> str:
    """Return nanoseconds since the epoch as RFC 3339 with nanoseconds."""
    seconds, nanos = divmod(moment_ns, _NS)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nanos:09d}Z"
