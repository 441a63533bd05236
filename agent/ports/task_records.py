"""What a node keeps of its tasks, so that it goes on with them without its managers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from api.types.assignments import AssignedTask
from api.types.cluster_networks import ClusterNetwork
from api.types.tasks import TaskStatus


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """A task, and what was seen of it last."""

    task: AssignedTask
    status: TaskStatus


@dataclass(frozen=True, slots=True)
class Kept:
    """All that is kept."""

    tasks: Mapping[str, TaskRecord] = field(default_factory=dict)
    networks: Mapping[str, ClusterNetwork] = field(default_factory=dict)


class TaskRecords(Protocol):
    """The records; what a call returned from survives a kill. Secrets are never among them.

    Errors of all:  Internal.
    """

    async def load(self) -> Kept:
        """Return all that is kept."""
        ...

    async def put(
        self, tasks: Sequence[TaskRecord], networks: Sequence[ClusterNetwork] = ()
    ) -> None:
        """Keep these, in place of what was kept of them."""
        ...

    async def remove(self, task_ids: Sequence[str], network_ids: Sequence[str] = ()) -> None:
        """Forget these."""
        ...

    async def close(self) -> None:
        """Let go of the file; fine if nothing is held."""
        ...
