"""The schema of commands and dumps, and how older ones are brought up to it.

A new field with a default needs nothing: what lacks it reads as the default. But managers of the
older version could not read it, so the schema grows by one with each change all the same. A field
that is renamed or takes another form needs a step here. tests/data keeps a dump of each schema.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import Raw

Fields: TypeAlias = dict[str, Any]
Step: TypeAlias = Callable[[str, Fields], Fields]
"""From a kind and its fields, as plain values, to the fields of the next schema."""

SCHEMA: Final = 1

STEPS: Final[Mapping[int, Step]] = {}
"""By the schema that they start from."""


def migrate_fields(
    schema: int,
    kind: str,
    own: Mapping[str, Raw],
    *,
    steps: Mapping[int, Step] = STEPS,
    target: int = SCHEMA,
) -> dict[str, Raw]:
    """Return the fields of one object as the target schema writes them."""
    fields: Fields = {name: msgspec.msgpack.decode(raw) for name, raw in own.items()}
    for number in range(schema, target):
        step = steps.get(number)
        if step is not None:
            fields = step(kind, fields)
    return {name: Raw(msgspec.msgpack.encode(value)) for name, value in fields.items()}
