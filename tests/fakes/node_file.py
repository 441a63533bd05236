"""A node's file in memory."""

from __future__ import annotations

from pathlib import Path

from agent.core.node_state import NodeState


class FakeNodeFile:
    """Fulfils `NodeFile`; `history` tells what was done to it."""

    def __init__(self, state: NodeState | None = None, *, has_log: bool = False) -> None:
        self.directory = Path("/swarm")
        self.state = state
        self.has_log = has_log
        self.history: list[str] = []

    async def load(self) -> NodeState | None:
        """Return what is kept."""
        return self.state

    async def save(self, state: NodeState) -> None:
        """Replace what is kept."""
        self.history.append("save")
        self.state = state

    async def clear(self) -> None:
        """Forget all."""
        self.history.append("clear")
        self.state = None
        self.has_log = False

    async def clear_manager(self) -> None:
        """Forget what a manager kept."""
        self.history.append("clear manager")
        self.has_log = False

    async def has_manager(self) -> bool:
        """Tell whether a manager's log is there."""
        return self.has_log
