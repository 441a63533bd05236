"""Requests read as Go's decoder reads them: null means absent, the case of names does not matter.

A key that is a field's name but for its case stands for that field, unless another key of the same
object is the name itself: then the field is named twice, which is refused.

Clients written in Go send null for every empty list and map. A null is dropped where a field's
type has no None, so that the field's default holds; a null inside a map or a list becomes the
zero value of its type, so that the key or the place is kept; where the type has None it stays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec.inspect import (
    BoolType,
    CollectionType,
    CustomType,
    DictType,
    Field,
    FloatType,
    IntType,
    NoneType,
    StrType,
    StructType,
    Type,
    UnionType,
    type_info,
)

from api.http.json_keys import DuplicateKey, folded

Clean = Callable[[Any], Any]

_ZEROS: dict[type[Type], Callable[[], Any]] = {
    BoolType: bool,
    IntType: int,
    FloatType: float,
    StrType: str,
    DictType: dict,
    StructType: dict,
}


def go_cleaner(kind: Any) -> Clean:
    """Return the function that cleans decoded JSON which is to become a `kind`."""
    return _Cleaners().of(type_info(kind))


class _Cleaners:
    """Makes one cleaner per struct, so that types that hold themselves come to an end."""

    def __init__(self) -> None:
        self._structs: dict[type, Clean] = {}

    def of(self, kind: Type) -> Clean:
        match kind:
            case StructType():
                return self._of_struct(kind)
            case DictType():
                return self._of_map(kind.value_type)
            case CollectionType():
                return self._of_list(kind.item_type)
            case UnionType():
                return self._of_union(kind)
            case _:
                return _keep

    def _of_struct(self, kind: StructType) -> Clean:
        if kind.cls in self._structs:
            return self._structs[kind.cls]
        fields: dict[str, tuple[bool, Clean]] = {}
        names: dict[str, str] = {}

        def clean(value: Any) -> Any:
            if not isinstance(value, dict):
                return value
            kept = {}
            seen = set()
            for given, item in value.items():
                key = given
                if key not in fields:
                    key = names.get(folded(given), given)
                if key in seen:
                    raise DuplicateKey(given)
                seen.add(key)
                accepts_none, inner = fields.get(key, (True, _keep))
                if item is not None:
                    kept[key] = inner(item)
                elif accepts_none:
                    kept[key] = None
            return kept

        self._structs[kind.cls] = clean
        for field in kind.fields:
            fields[field.encode_name] = self._of_field(field)
            names.setdefault(folded(field.encode_name), field.encode_name)
        return clean

    def _of_field(self, field: Field) -> tuple[bool, Clean]:
        return _accepts_none(field.type), self.of(field.type)

    def _of_map(self, item: Type) -> Clean:
        inner, zero = self.of(item), _zero(item)

        def clean(value: Any) -> Any:
            if not isinstance(value, dict):
                return value
            return {key: zero() if held is None else inner(held) for key, held in value.items()}

        return clean

    def _of_list(self, item: Type) -> Clean:
        inner, zero = self.of(item), _zero(item)

        def clean(value: Any) -> Any:
            if not isinstance(value, list):
                return value
            return [zero() if held is None else inner(held) for held in value]

        return clean

    def _of_union(self, kind: UnionType) -> Clean:
        cleaners = [cleaner for part in kind.types if (cleaner := self.of(part)) is not _keep]

        def clean(value: Any) -> Any:
            for cleaner in cleaners:
                value = cleaner(value)
            return value

        return clean if cleaners else _keep


def _keep(value: Any) -> Any:
    return value


def _accepts_none(kind: Type) -> bool:
    if isinstance(kind, UnionType):
        return any(_accepts_none(part) for part in kind.types)
    return isinstance(kind, (NoneType, msgspec.inspect.AnyType, msgspec.inspect.RawType))


def _zero(kind: Type) -> Callable[[], Any]:
    if _accepts_none(kind) or isinstance(kind, CustomType):
        return lambda: None
    if isinstance(kind, CollectionType):
        return list
    if isinstance(kind, UnionType):
        return _zero(kind.types[0])
    return _ZEROS.get(type(kind), lambda: None)
