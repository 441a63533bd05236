"""What the replicated log can hold: numbers of 64 bits, objects of a sensible size."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from api.cluster_errors import InvalidSpec

SPEC_LIMIT_BYTES = 1_200_000


def check_storable(spec: Struct) -> None:
    """Refuse a spec that the managers could not replicate. Errors: InvalidSpec."""
    try:
        size_bytes = len(msgspec.msgpack.encode(spec))
    except (OverflowError, UnicodeEncodeError) as error:
        raise InvalidSpec(f"a value of the spec cannot be stored: {error}") from error
    if size_bytes > SPEC_LIMIT_BYTES:
        raise InvalidSpec(
            f"the spec is too large: {size_bytes} bytes, the limit is {SPEC_LIMIT_BYTES}"
        )
