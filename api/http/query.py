"""Query arguments with Docker's meaning of booleans, numbers, times and filters."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import Depends, Request
from starlette.datastructures import QueryParams

from api.errors import InvalidArgument
from api.filters import Filters, parse_filters

_NO = frozenset({"", "0", "no", "false", "none"})
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
_TIME = re.compile(r"(-?[0-9]{1,12})(?:\.([0-9]{1,9})[0-9]*)?")
_INT64 = 1 << 63


class Arguments:
    """What stands behind the `?` of a request; the last of a repeated name counts."""

    __slots__ = ("_found",)

    def __init__(self, found: QueryParams) -> None:
        self._found = found

    def __contains__(self, name: str) -> bool:
        return name in self._found

    def text(self, name: str, default: str = "") -> str:
        """Return an argument as it stands; `default` where it is not given."""
        return self._found.get(name, default)

    def texts(self, name: str) -> list[str]:
        """Return all values of an argument that may be repeated."""
        return self._found.getlist(name)

    def boolean(self, name: str, default: bool = False) -> bool:
        """Return true for all but "", 0, no, false and none; `default` where it is not given."""
        value = self._found.get(name)
        return default if value is None else value.strip().lower() not in _NO

    def integer(self, name: str, default: int = 0) -> int:
        """Return a decimal number of 64 bits; `default` where it is not given or empty.

        Errors:  InvalidArgument for anything else.
        """
        value = self._found.get(name)
        if not value:
            return default
        if not _INTEGER.fullmatch(value):
            raise InvalidArgument(f'invalid value for {name}: "{value[:64]}" is not a number')
        number = int(value)
        if not -_INT64 <= number < _INT64:
            raise InvalidArgument(f"invalid value for {name}: {value} is out of range")
        return number

    def timestamp_ns(self, name: str) -> int | None:
        """Return nanoseconds since the epoch of `seconds[.fraction]`; None where not given.

        Errors:  InvalidArgument for anything else.
        """
        value = self._found.get(name)
        if not value:
            return None
        found = _TIME.fullmatch(value)
        if found is None:
            raise InvalidArgument(f'invalid value for "{name}": "{value[:64]}" is no unix time')
        seconds, fraction = found.groups()
        nanoseconds = int((fraction or "").ljust(9, "0"))
        whole = int(seconds) * 1_000_000_000
        return whole - nanoseconds if seconds.startswith("-") else whole + nanoseconds

    def filters(self, name: str = "filters") -> Filters:
        """Return the filters. Errors: InvalidArgument."""
        return parse_filters(self._found.get(name, ""))


_NONE = Arguments(QueryParams())


async def _arguments(request: Request) -> Arguments:
    if not request.scope["query_string"]:
        return _NONE
    return Arguments(request.query_params)


Query = Annotated[Arguments, Depends(_arguments)]
