"""Chain ids: the name of a layer together with all below it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence


def chain_id(parent: str | None, diff_id: str) -> str:
    """Return the chain id of a layer over its parent chain (None at the base).

    Source:  OCI image spec, config.md, "Layer ChainID".
    """
    if parent is None:
        return diff_id
    return f"sha256:{hashlib.sha256(f'{parent} {diff_id}'.encode()).hexdigest()}"


def chain_ids(diff_ids: Sequence[str]) -> list[str]:
    """Return the chain ids of a stack of layers, base first."""
    found: list[str] = []
    parent: str | None = None
    for diff_id in diff_ids:
        parent = chain_id(parent, diff_id)
        found.append(parent)
    return found
