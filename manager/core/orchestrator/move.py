"""A task that is moved, and its successor on another node: both are to run for a while."""

from __future__ import annotations

from api.types.tasks import TaskState
from manager.core.objects.task import Task
from manager.core.orchestrator.defaults import SECOND_NS
from manager.core.orchestrator.draft import Draft

PATIENCE_NS = 60 * SECOND_NS
"""So long a moved task may need until it runs; then the move is given up."""


def is_pair(draft: Draft, tasks: list[Task]) -> bool:
    """Tell whether the tasks of a slot that are to run are one that moves and its successor."""
    if not draft.view.is_rebalanced or len(tasks) != 2:
        return False
    old, new = sorted(tasks, key=age)
    return (
        old.status.State is TaskState.RUNNING
        and bool(new.node_id)
        and new.node_id != old.node_id
        and draft.now_ns < new.meta.created_ns + PATIENCE_NS
    )


def age(task: Task) -> tuple[int, str]:
    """Return what sorts tasks by age, the oldest first."""
    return (task.meta.created_ns, task.id)
