"""One task per slot: what faults may have doubled is stopped."""

from __future__ import annotations

from api.types.tasks import TaskState
from manager.core.objects.task import Task
from manager.core.orchestrator.dirty import is_dirty
from manager.core.orchestrator.draft import Draft
from manager.core.orchestrator.move import is_pair


def stop_doubles(draft: Draft) -> None:
    """Stop all but one of the tasks of a slot that are to run.

    An old task and its successor may overlap, where an update starts first or a task moves: they
    are no doubles.
    """
    for tasks in draft.slots().values():
        runnable = [task for task in tasks if draft.is_runnable(task)]
        if len(runnable) < 2 or is_pair(draft, runnable):
            continue
        dirty = [task for task in runnable if _is_dirty(draft, task)]
        clean = [task for task in runnable if task not in dirty]
        for group in (clean, dirty):
            for task in sorted(group, key=_rank)[1:]:
                draft.set_desired(task, TaskState.SHUTDOWN)


def _rank(task: Task) -> tuple[bool, int]:
    """Return the smallest for the task to keep: one that runs, of these the oldest."""
    return (task.status.State is not TaskState.RUNNING, task.meta.created_ns)


def _is_dirty(draft: Draft, task: Task) -> bool:
    return is_dirty(draft.service, task, draft.nodes.get(task.node_id))
