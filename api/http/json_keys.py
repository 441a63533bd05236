"""The keys of a request's JSON: none twice in an object, and which ones are spelled otherwise.

Go's decoder takes a field's name in any case, and of two keys for one field the last. Whoever
checks requests before us may have seen the other: what is named twice is refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from msgspec.inspect import (
    CollectionType,
    DictType,
    StructType,
    Type,
    UnionType,
    type_info,
)

from api.errors import InvalidArgument


class DuplicateKey(InvalidArgument):
    """An object names a key twice."""

    def __init__(self, key: str) -> None:
        super().__init__(f"invalid JSON: duplicate key {json.dumps(key[:64])}")


def folded(key: str) -> str:
    """Return a key as Go's decoder compares it with the names of fields."""
    return (
        key.lower() if key.isascii() else key.lower().replace("\N{LATIN SMALL LETTER LONG S}", "s")
    )


class KeyScanner:
    """Looks at the keys of JSON that is to become a `kind`."""

    def __init__(self, kind: Any) -> None:
        self._names = frozenset(_field_names(type_info(kind), set()))
        self._folded_names = frozenset(map(folded, self._names))
        # Numbers are the other decoder's business.
        self._decoder = json.JSONDecoder(
            object_pairs_hook=self._look, parse_int=len, parse_float=len, parse_constant=len
        )
        self._is_plain = True

    def are_plain(self, text: str) -> bool:
        """Tell whether no key needs a second look: each field is named just as it is spelled.

        Errors:  DuplicateKey; json.JSONDecodeError.
        """
        self._is_plain = True
        self._decoder.decode(text)
        return self._is_plain

    def _look(self, pairs: list[tuple[str, Any]]) -> None:
        if len({key.lower() for key, _ in pairs}) != len(pairs):
            _refuse_duplicates(pairs)
            self._is_plain = False
        elif self._is_plain:
            others = [key for key, _ in pairs if key not in self._names]
            if others:
                self._is_plain = self._folded_names.isdisjoint(map(folded, others))


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> None:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise DuplicateKey(key)
        seen.add(key)


def _field_names(kind: Type, seen: set[type]) -> Iterator[str]:
    """Return the names of all fields of all structs in a type."""
    match kind:
        case StructType() if kind.cls not in seen:
            seen.add(kind.cls)
            for field in kind.fields:
                yield field.encode_name
                yield from _field_names(field.type, seen)
        case DictType():
            yield from _field_names(kind.value_type, seen)
        case CollectionType():
            yield from _field_names(kind.item_type, seen)
        case UnionType():
            for part in kind.types:
                yield from _field_names(part, seen)
        case _:
            pass
