"""Rebalancing: tasks move from full nodes to those that were emptied or came new, where wanted.

A service has it by its label `skep.rebalance=auto`, or by the cluster's. One task at a time is
made anew on the node that holds least, beside the old one in its slot; the old one is stopped once
the new one runs and is healthy. Nothing moves before all of the service has been calm for a while.
All of it is read off the tasks: another leader goes on with a move as it finds it.
"""

from __future__ import annotations

from api.types.tasks import TaskState
from manager.core.objects.node import Node
from manager.core.objects.task import Task
from manager.core.orchestrator.defaults import SECOND_NS
from manager.core.orchestrator.dirty import is_dirty
from manager.core.orchestrator.draft import Draft
from manager.core.orchestrator.global_ import belongs
from manager.core.orchestrator.move import PATIENCE_NS, age, is_pair
from manager.core.orchestrator.view import takes_tasks
from manager.core.scheduler.constraint import label_of
from manager.core.scheduler.requirements import preferences_of

LABEL = "skep.rebalance"
AUTO = "auto"

CALM_NS = 10 * SECOND_NS
"""So long all tasks of a service have run before one is moved: one move per such time at most."""

AVOID_NS = 600 * SECOND_NS
"""So long nothing is moved to a node where a task of the service failed."""

_UNWELL = (TaskState.FAILED, TaskState.REJECTED, TaskState.ORPHANED)


def rebalance(draft: Draft) -> None:
    """End the move that is under way, or begin one when all is calm and it makes things more even.

    Update and rollback come first; both replace tasks by themselves.
    """
    if not draft.view.is_rebalanced:
        return
    for tasks in _by_slot(draft):
        if len(tasks) > 1:
            _end(draft, tasks)
    slots = _by_slot(draft)
    if all(len(tasks) == 1 for tasks in slots) and _is_calm(draft, [task for (task,) in slots]):
        _begin(draft, [task for (task,) in slots])


def _by_slot(draft: Draft) -> list[list[Task]]:
    """Return the tasks that are to run, slot by slot, the oldest of each first."""
    slots = (sorted(filter(draft.is_runnable, each), key=age) for each in draft.slots().values())
    return [tasks for tasks in slots if tasks]


def _end(draft: Draft, tasks: list[Task]) -> None:
    """Stop the old task once the new one runs."""
    if is_pair(draft, tasks):
        old, new = tasks
        if new.status.State is TaskState.RUNNING:
            draft.set_desired(old, TaskState.SHUTDOWN)
        else:
            draft.wake(new.meta.created_ns + PATIENCE_NS)


def _is_calm(draft: Draft, tasks: list[Task]) -> bool:
    if not tasks:
        return False
    nodes = draft.nodes
    if any(task.status.State is not TaskState.RUNNING for task in tasks):
        return False
    if any(is_dirty(draft.service, task, nodes.get(task.node_id)) for task in tasks):
        return False
    last_start_ns = max(task.running_ns for task in tasks)
    last_try_ns = max(task.meta.created_ns for task in draft.tasks)
    calm_ns = max(last_start_ns, last_try_ns) + CALM_NS
    if draft.now_ns < calm_ns:
        draft.wake(calm_ns)
        return False
    return True


def _begin(draft: Draft, tasks: list[Task]) -> None:
    """Move a task from the fullest node to the emptiest of those that its preferences mix it with.

    A difference of one is even: moving would only turn it around.
    """
    counts = {
        node.id: 0 for node in draft.nodes.values() if takes_tasks(node) and belongs(draft, node)
    }
    held: dict[str, list[Task]] = {}
    for task in tasks:
        held.setdefault(task.node_id, []).append(task)
    avoided = _avoided(draft)
    targets = sorted(counts.keys() - avoided, key=lambda each: (len(held.get(each, ())), each))
    sources = sorted(held, key=lambda each: (-len(held[each]), each))
    for source in sources:
        for target in targets:
            if len(held[source]) - len(held.get(target, ())) < 2:
                break
            if _is_alike(draft, source, target):
                newest = max(held[source], key=age)
                draft.create(TaskState.RUNNING, slot=newest.slot, node_id=target)
                return


def _avoided(draft: Draft) -> set[str]:
    since_ns = draft.now_ns - AVOID_NS
    return {
        task.node_id
        for task in draft.tasks
        if task.status.State in _UNWELL and task.ended_ns > since_ns
    } | {
        task.node_id
        for task in draft.tasks
        if not draft.is_runnable(task) and not task.running_ns and task.meta.created_ns > since_ns
    }


def _is_alike(draft: Draft, one: str, other: str) -> bool:
    """Tell whether two nodes are the same to the placement preferences: these weigh more."""
    over = preferences_of(draft.service.spec.TaskTemplate.Placement)
    pair = [draft.nodes.get(each) for each in (one, other)]
    values = {_labels(node, over) for node in pair if node is not None}
    return len(values) == 1 and None not in pair


def _labels(node: Node, over: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(label_of(node, each) for each in over)
