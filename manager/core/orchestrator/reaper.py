"""Tasks that are over and to be forgotten: what was removed, and history beyond its limit."""

from __future__ import annotations

from api.types.services import UpdateState
from api.types.tasks import TaskState
from manager.core.objects.service import Service
from manager.core.objects.task import Task
from manager.core.orchestrator.actions import DeleteTask
from manager.core.orchestrator.draft import slot_of
from manager.core.orchestrator.view import ServiceView

_UPDATING = (UpdateState.UPDATING, UpdateState.ROLLBACK_STARTED)


def reap(view: ServiceView) -> list[DeleteTask]:
    """Return the tasks to forget: the oldest beyond the limit, per slot, and removed ones.

    A task that may still run is never forgotten, nor is a slot's last one: it tells that the slot
    was filled, and for how many attempts. While an update runs, the tasks that it made are kept:
    their fate decides on it.
    """
    found = []
    slots: dict[int | str, list[Task]] = {}
    for task in view.tasks:
        is_removed = task.desired_state >= TaskState.REMOVE
        if _is_over(task) and (is_removed or task.status.State is TaskState.ORPHANED):
            found.append(DeleteTask(task.id))
        else:
            slots.setdefault(slot_of(task), []).append(task)
    if view.history_limit >= 0:
        for tasks in slots.values():
            found += map(DeleteTask, _surplus(view, tasks))
    return found


def _surplus(view: ServiceView, tasks: list[Task]) -> list[str]:
    """Return what is too old of a slot's history."""
    tasks.sort(key=lambda task: (task.meta.created_ns, task.id))
    *older, last = tasks
    history = [task.id for task in older if _is_over(task) and not _is_watched(view.service, task)]
    limit = max(view.history_limit - _is_over(last), 0)
    return history[: max(len(history) - limit, 0)]


def _is_over(task: Task) -> bool:
    """Tell whether no agent has to do with a task any more, and nobody waits for it."""
    is_wanted = task.desired_state <= TaskState.COMPLETE
    is_known_to_agent = TaskState.ASSIGNED <= task.status.State <= TaskState.RUNNING
    return not is_wanted and not is_known_to_agent


def _is_watched(service: Service, task: Task) -> bool:
    status = service.update_status
    is_updating = status is not None and status.State in _UPDATING
    return is_updating and task.attempt == 0 and task.spec_version == service.spec_version
