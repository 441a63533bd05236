"""Durable records of the engine: small JSON documents by kind and key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Kind = Literal[
    "container",
    "image",
    "reference",
    "layer",
    "blob",
    "network",
    "endpoint",
    "volume",
    # Of a node in a cluster, in a database of its own.
    "task",
    "cluster network",
]


@dataclass(frozen=True, slots=True)
class Change:
    """One record to write; `document` None deletes it."""

    kind: Kind
    key: str
    document: bytes | None


class Records(Protocol):
    """A table of documents. What `apply` returned from survives kill -9 of the process."""

    async def load(self, kind: Kind) -> dict[str, bytes]:
        """Return every document of a kind by key."""

    async def apply(self, changes: Sequence[Change]) -> None:
        """Write all changes in one transaction, in order of call. Errors: Internal."""
