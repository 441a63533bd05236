"""Where a node keeps what it must not forget of its swarm."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from agent.core.node_state import NodeState


class NodeFile(Protocol):
    """The directory of the swarm, and node.json in it."""

    @property
    def directory(self) -> Path:
        """The directory that node and manager share."""
        ...

    async def load(self) -> NodeState | None:
        """Return what is kept; None where the node is in no swarm. Errors: Internal."""
        ...

    async def save(self, state: NodeState) -> None:
        """Replace what is kept; it is on the disk when this returns. Errors: Internal."""
        ...

    async def clear(self) -> None:
        """Forget all: state, certificates, keys, the manager's log. Errors: Internal."""
        ...

    async def clear_manager(self) -> None:
        """Forget what a manager kept, but not the node. Errors: Internal."""
        ...

    async def has_manager(self) -> bool:
        """Tell whether a manager's log is there."""
        ...
