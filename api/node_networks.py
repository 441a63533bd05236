"""Networks that every node has by itself, with ids that are the same on every node.

The docker command replaces a network's name by its id on the node that it speaks with; by these ids
managers know which of the nodes' own networks is meant, wherever the tasks will run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

NODE_NETWORKS: Mapping[str, str] = {
    name: hashlib.sha256(f"node network {name}".encode()).hexdigest()
    for name in ("bridge", "host", "none")
}
"""Ids by name."""

_NAMES = {network_id: name for name, network_id in NODE_NETWORKS.items()}


def node_network(ref: str) -> str | None:
    """Return the name of the node's own network with this name or id; None if there is none."""
    return ref if ref in NODE_NETWORKS else _NAMES.get(ref)
