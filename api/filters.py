"""The `filters` argument of lists, prunes and events: which objects a client wants."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import msgspec

from api.errors import InvalidArgument

_TRUE = frozenset({"1", "true", "True"})
_FALSE = frozenset({"0", "false", "False"})


class InvalidFilter(InvalidArgument):
    """The operation has no such filter, or the filter no such value."""

    def __init__(self, text: str) -> None:
        super().__init__(f"invalid filter '{text}'")


class Filters(Mapping[str, tuple[str, ...]]):
    """Values by key; a key that was not given is absent. Values keep their order, once each."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Collection[str]] | None = None) -> None:
        self._values = {key: tuple(dict.fromkeys(found)) for key, found in (values or {}).items()}

    def __getitem__(self, key: str) -> tuple[str, ...]:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Filters({self._values!r})"

    def check(self, accepted: Collection[str]) -> None:
        """Refuse keys that the operation does not know. Errors: InvalidFilter naming the first."""
        for key in self._values:
            if key not in accepted:
                raise InvalidFilter(key)

    def flag(self, key: str) -> bool | None:
        """Return a filter that is a boolean; None where it is not given. Errors: InvalidFilter."""
        values = frozenset(self._values.get(key, ()))
        if not values:
            return None
        if values <= _TRUE:
            return True
        if values <= _FALSE:
            return False
        raise InvalidFilter(f"{key}=[{' '.join(sorted(values))}]")


def parse_filters(text: str) -> Filters:
    """Return the filters of a query string: `{"k": ["v"]}` or, as of old, `{"k": {"v": true}}`.

    Both forms may meet in one object; a value set to false is not wanted. "" means none.
    Errors:  InvalidArgument when it is not JSON of these forms.
    """
    if not text:
        return Filters()
    try:
        decoded = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        msg = f"invalid filter: {error}"
        raise InvalidArgument(msg) from error
    if decoded is None:
        return Filters()
    if not isinstance(decoded, dict):
        msg = "invalid filter: expected an object of lists"
        raise InvalidArgument(msg)
    return Filters({key: _values(key, values) for key, values in decoded.items()})


def _values(key: str, values: Any) -> list[str]:
    match values:
        case None:
            return []
        case list() if all(isinstance(value, str) for value in values):
            return values
        case dict() if all(isinstance(wanted, bool) for wanted in values.values()):
            return [value for value, wanted in values.items() if wanted]
        case _:
            msg = f"invalid filter: '{key}' must be a list of strings"
            raise InvalidArgument(msg)
