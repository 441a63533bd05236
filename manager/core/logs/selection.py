"""Whose logs are read: services with all their tasks, or single tasks."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from api.types.tasks import TaskState
from manager.core.objects.task import Task
from manager.core.store.query import View


class Selection(Struct, frozen=True):
    """Services and tasks by id."""

    service_ids: frozenset[str] = frozenset()
    task_ids: frozenset[str] = frozenset()

    def has(self, task: Task) -> bool:
        """Tell whether a task's log is wanted, and some node may have it."""
        is_wanted = task.service_id in self.service_ids or task.id in self.task_ids
        return is_wanted and bool(task.node_id) and task.status.State >= TaskState.ASSIGNED

    def tasks(self, view: View) -> Iterable[Task]:
        """Return the tasks whose logs are wanted; ended ones too, while they are remembered."""
        for service_id in sorted(self.service_ids):
            yield from filter(self.has, view.tasks.by(service=service_id))
        for task_id in sorted(self.task_ids):
            task = view.tasks.get(task_id)
            if task is not None and self.has(task):
                yield task


def incomplete(problems: Iterable[str]) -> str:
    """Return what a reader is told at the end of a log of which some is missing."""
    return (
        "Error grabbing logs: warning: incomplete log stream. some logs could not be retrieved "
        f"for the following reasons: {', '.join(problems)}\n"
    )
