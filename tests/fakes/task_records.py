"""Records of tasks in memory."""

from __future__ import annotations

from collections.abc import Sequence

from agent.ports.task_records import Kept, TaskRecord
from api.errors import SkepError
from api.types.cluster_networks import ClusterNetwork


class FakeTaskRecords:
    """Fulfils `TaskRecords`; `error` is raised by what writes."""

    def __init__(self) -> None:
        self.tasks: dict[str, TaskRecord] = {}
        self.networks: dict[str, ClusterNetwork] = {}
        self.error: SkepError | None = None

    async def load(self) -> Kept:
        """Return all."""
        return Kept(dict(self.tasks), dict(self.networks))

    async def put(
        self, tasks: Sequence[TaskRecord], networks: Sequence[ClusterNetwork] = ()
    ) -> None:
        """Keep these."""
        if self.error is not None:
            raise self.error
        self.tasks.update({each.task.ID: each for each in tasks})
        self.networks.update({each.ID: each for each in networks})

    async def remove(self, task_ids: Sequence[str], network_ids: Sequence[str] = ()) -> None:
        """Forget these."""
        for each in task_ids:
            self.tasks.pop(each, None)
        for each in network_ids:
            self.networks.pop(each, None)

    async def close(self) -> None:
        """Do nothing: there is no file."""
