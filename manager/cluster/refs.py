"""What a user means by an id, a name, or the beginning of an id."""

from __future__ import annotations

from typing import TypeVar

from api.cluster_errors import AmbiguousRef
from manager.core.objects.meta import StoredObject
from manager.core.store.query import Rows
from manager.core.store.tables import Table

T = TypeVar("T", bound=StoredObject)


def resolve(table: Table[T], rows: Rows[T], ref: str) -> T:
    """Return the one object that is meant. Errors: the kind's NotFound, AmbiguousRef."""
    found = rows.lookup(ref)
    if not found:
        raise table.not_found(ref)
    if len(found) > 1:
        raise AmbiguousRef(table.kind, ref, len(found))
    return found[0]
