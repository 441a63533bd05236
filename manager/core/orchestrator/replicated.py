"""Replicated services: as many slots as replicas are wanted."""

from __future__ import annotations

from itertools import count, islice

from api.types.tasks import TaskState
from manager.core.objects.task import Task
from manager.core.orchestrator.draft import Draft, SlotKey, slot_order
from manager.core.orchestrator.restart import is_finished


def scale(draft: Draft) -> None:
    """Fill the lowest free slots, or take surplus from the nodes that hold most of the service.

    A slot whose task has ended for good counts as filled. Removal only sets the desired state:
    the agent stops the container, then the reaper forgets the task.
    """
    wanted = draft.service.spec.Mode.Replicated
    replicas = 1 if wanted is None or wanted.Replicas is None else wanted.Replicas
    slots = draft.slots()
    filled = {key: tasks for key, tasks in slots.items() if is_filled(draft, tasks)}
    missing = replicas - len(filled)
    fresh = _fill(draft, slots, filled, missing) if missing > 0 else set()
    surplus = _surplus(draft, filled)[:-missing] if missing < 0 else []
    dead = [key for key in slots if key not in filled and key not in fresh]
    for key in (*surplus, *dead):
        remove_slot(draft, slots[key])


def is_filled(draft: Draft, tasks: list[Task]) -> bool:
    """Tell whether a slot has a task that is to run, or one that has ended for good."""
    if any(draft.is_runnable(task) for task in tasks):
        return True
    return tasks[-1].desired_state < TaskState.REMOVE and is_finished(tasks[-1], draft.now_ns)


def remove_slot(draft: Draft, tasks: list[Task]) -> None:
    """Want a slot's tasks to be gone."""
    for task in tasks:
        if task.desired_state < TaskState.REMOVE:
            draft.set_desired(task, TaskState.REMOVE)


def _fill(
    draft: Draft, slots: dict[SlotKey, list[Task]], filled: dict[SlotKey, list[Task]], missing: int
) -> set[SlotKey]:
    """Make tasks in so many free slots; return these."""
    free = [*islice((number for number in count(1) if number not in filled), missing)]
    for number in free:
        draft.create(draft.first_state(slots.get(number, ())), slot=number)
    return {*free}


def _surplus(draft: Draft, filled: dict[SlotKey, list[Task]]) -> list[SlotKey]:
    """Return the slots in the order that they are taken away.

    Those that do not run go first; then each node gives one in turn, the fullest nodes first.
    Of equals the highest slot goes.
    """
    running: dict[str, list[SlotKey]] = {}
    idle: list[SlotKey] = []
    for key in sorted(filled, key=slot_order):
        node_id = _runs_on(draft, filled[key])
        if node_id:
            running.setdefault(node_id, []).append(key)
        else:
            idle.append(key)
    ranked = [
        (-rank, node_id, key)
        for node_id, keys in running.items()
        for rank, key in enumerate(keys, start=1)
    ]
    return [*reversed(idle), *(key for _, _, key in sorted(ranked, key=lambda item: item[:2]))]


def _runs_on(draft: Draft, tasks: list[Task]) -> str:
    for task in tasks:
        if draft.is_runnable(task) and task.status.State is TaskState.RUNNING:
            return task.node_id
    return ""
