"""Signals by name or number, as --signal and STOPSIGNAL give them."""

from __future__ import annotations

import signal

from api.errors import InvalidArgument

KILL = int(signal.SIGKILL)
TERM = int(signal.SIGTERM)
_RTMIN, _RTMAX = 34, 64
_BY_NAME = {each.name.removeprefix("SIG"): int(each) for each in signal.Signals} | {
    "RTMIN": _RTMIN,
    "RTMAX": _RTMAX,
    **{f"RTMIN+{n}": _RTMIN + n for n in range(1, 16)},
    **{f"RTMAX-{n}": _RTMAX - n for n in range(1, 15)},
}


def parse_signal(text: str) -> int:
    """Return the number of "TERM", "SIGTERM", "15" or "SIGRTMIN+3"; any letter case.

    Errors:  InvalidArgument.
    """
    if text.isascii() and text.isdecimal() and len(text) <= 3:
        number = int(text)
        if 1 <= number <= _RTMAX:
            return number
    found = _BY_NAME.get(text.upper().removeprefix("SIG"))
    if found is None:
        raise InvalidArgument(f"invalid signal: {text}")
    return found
