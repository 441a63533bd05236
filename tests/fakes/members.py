"""What the guard asks of the cluster, as sets that a test fills."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class FakeMembers:
    """Nodes that were removed, and nodes that are workers by now."""

    removed: set[str] = field(default_factory=set)
    workers: set[str] = field(default_factory=set)

    def is_removed(self, node_id: str) -> bool:
        """Tell whether the test removed the node."""
        return node_id in self.removed

    def is_worker(self, node_id: str) -> bool:
        """Tell whether the test made the node a worker."""
        return node_id in self.workers
