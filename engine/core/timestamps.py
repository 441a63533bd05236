"""Moments as requests write them and as log lines carry them.

All are nanoseconds since the epoch in between; nothing here reads a clock.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

from api.errors import InvalidArgument

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NS = 1_000_000_000
_LAST_NS = int((datetime.max.replace(tzinfo=UTC) - _EPOCH).total_seconds()) * _NS - 1

_SECONDS = re.compile(r"(-?)([0-9]{1,18})(?:\.([0-9]{0,9})[0-9]*)?")
_RFC3339 = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:T([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,9})"
    r"[0-9]*)?)?(Z|[+-][0-9]{2}:[0-9]{2})?)?"
)


def parse_moment(text: str) -> int:
    """Return the nanoseconds of `since` and `until`: unix seconds with fraction, or RFC 3339.

    A date without zone is UTC; the time of day, or its seconds, may be left out.
    Errors:  InvalidArgument.
    """
    if found := _SECONDS.fullmatch(text):
        sign, seconds, fraction = found.groups()
        value = int(seconds) * _NS + int((fraction or "").ljust(9, "0"))
        return max(min(-value if sign else value, _LAST_NS), -_LAST_NS)
    if found := _RFC3339.fullmatch(text):
        return _from_parts(text, found)
    raise InvalidArgument(f'failed to parse value as time or duration: "{text}"')


def _from_parts(text: str, found: re.Match[str]) -> int:
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    try:
        whole = datetime(
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0),
            tzinfo=_zone(zone),
        )  # fmt: skip
        seconds = (whole - _EPOCH) // timedelta(seconds=1)
    except (ValueError, OverflowError) as error:
        raise InvalidArgument(f'parsing time "{text}": {error}') from error
    return seconds * _NS + int((fraction or "").ljust(9, "0"))


def _zone(text: str | None) -> timezone:
    if text is None or text == "Z":
        return UTC
    offset = timedelta(hours=int(text[1:3]), minutes=int(text[4:6]))
    return timezone(-offset if text[0] == "-" else offset)


def format_utc(moment_ns: int) -> str:
    """Return RFC 3339 in UTC with nine digits and no zone: what sorts as text as it does in time.

    Years before 1 and after 9999 are cut to the nearest that can be written.
    """
    seconds, nanoseconds = divmod(min(moment_ns, _LAST_NS), _NS)
    try:
        whole = _EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        return "0001-01-01T00:00:00.000000000"
    return f"{whole.year:04}{whole:-%m-%dT%H:%M:%S}.{nanoseconds:09}"
