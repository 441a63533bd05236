"""Jobs: tasks that run to their end, so many in all and so many at once, or one per node.

Each change of the spec is a new run: tasks of runs before are removed, and what they completed
does not count.
"""

from __future__ import annotations

from api.types.tasks import TaskState
from manager.core.objects.task import Task
from manager.core.orchestrator.draft import Draft
from manager.core.orchestrator.global_ import belongs
from manager.core.orchestrator.view import takes_tasks

_BY_ITSELF = (TaskState.COMPLETE, TaskState.FAILED, TaskState.REJECTED)


def drop_old_runs(draft: Draft) -> None:
    """Want tasks of earlier runs to be gone."""
    assert draft.service.job is not None
    for task in draft.tasks:
        is_old = task.job_iteration != draft.service.job.iteration
        if is_old and task.desired_state < TaskState.REMOVE:
            draft.set_desired(task, TaskState.REMOVE)


def run_replicated(draft: Draft) -> None:
    """Begin as many tasks as may run beside those that do, up to the completions wanted."""
    mode = draft.service.spec.Mode.ReplicatedJob
    assert mode is not None
    at_once = 1 if mode.MaxConcurrent is None else mode.MaxConcurrent
    total = at_once if mode.TotalCompletions is None else mode.TotalCompletions
    taken = {task.slot for task in _current(draft)}
    going = sum(_is_going(draft, task) for task in _current(draft))
    free = (slot for slot in range(1, total + 1) if slot not in taken)
    for slot, _ in zip(free, range(at_once - going), strict=False):
        draft.create(draft.last_state, slot=slot)


def run_global(draft: Draft) -> None:
    """Begin a task on every node that fits and had none in this run that came to its own end.

    A node that was away, and lost its task by that, begins again.
    """
    slots: dict[str, list[Task]] = {}
    for task in _current(draft):
        slots.setdefault(task.node_id, []).append(task)
    for node in draft.nodes.values():
        tasks = slots.get(node.id, [])
        if any(draft.is_runnable(task) or task.status.State in _BY_ITSELF for task in tasks):
            continue
        if takes_tasks(node) and belongs(draft, node):
            draft.create(draft.first_state(tasks), node_id=node.id)


def _current(draft: Draft) -> list[Task]:
    assert draft.service.job is not None
    return [task for task in draft.tasks if task.job_iteration == draft.service.job.iteration]


def _is_going(draft: Draft, task: Task) -> bool:
    return draft.is_runnable(task) and task.status.State <= TaskState.RUNNING
