"""The tasks of a node in a database of their own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from agent.ports.task_records import Kept, TaskRecord
from api.errors import Internal
from api.types.assignments import AssignedTask
from api.types.cluster_networks import ClusterNetwork
from api.types.tasks import TaskStatus
from engine.adapters.database import DatabaseRecords, open_records
from engine.ports.records import Change


class _Row(msgspec.Struct):
    task: AssignedTask
    status: TaskStatus


class TaskDatabase:
    """Fulfils `TaskRecords`; the file is made when it is first needed, and closed by `close`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opened: DatabaseRecords | None = None

    async def load(self) -> Kept:
        """Return all that is kept."""
        records = await self._records()
        rows = await records.load("task")
        networks = await records.load("cluster network")
        try:
            tasks = {id_: msgspec.json.decode(raw, type=_Row) for id_, raw in rows.items()}
            return Kept(
                tasks={id_: TaskRecord(row.task, row.status) for id_, row in tasks.items()},
                networks={
                    id_: msgspec.json.decode(raw, type=ClusterNetwork)
                    for id_, raw in networks.items()
                },
            )
        except msgspec.MsgspecError as error:
            raise Internal(f"{self._path} holds what this version cannot read: {error}") from error

    async def put(
        self, tasks: Sequence[TaskRecord], networks: Sequence[ClusterNetwork] = ()
    ) -> None:
        """Keep these."""
        await (await self._records()).apply(
            [
                *(
                    Change("task", each.task.ID, msgspec.json.encode(_Row(each.task, each.status)))
                    for each in tasks
                ),
                *(
                    Change("cluster network", each.ID, msgspec.json.encode(each))
                    for each in networks
                ),
            ]
        )

    async def remove(self, task_ids: Sequence[str], network_ids: Sequence[str] = ()) -> None:
        """Forget these."""
        await (await self._records()).apply(
            [
                *(Change("task", each, None) for each in task_ids),
                *(Change("cluster network", each, None) for each in network_ids),
            ]
        )

    async def close(self) -> None:
        """Close the file; fine if it is not open."""
        if self._opened is not None:
            opened, self._opened = self._opened, None
            await opened.close()

    async def _records(self) -> DatabaseRecords:
        if self._opened is None:
            self._opened = await open_records(self._path)
        return self._opened
