"""Global services: one task on every node that fits."""

from __future__ import annotations

from api.types.tasks import TaskState
from manager.core.objects.node import Node
from manager.core.orchestrator.draft import Draft
from manager.core.orchestrator.replicated import remove_slot
from manager.core.orchestrator.restart import is_finished
from manager.core.orchestrator.view import keeps_tasks, takes_tasks
from manager.core.scheduler.constraint import is_met, parse_constraints


def clear(draft: Draft) -> None:
    """Stop tasks where the service does not belong: nodes that are down, drained, gone, unfit."""
    for node_id, tasks in draft.slots().items():
        node = draft.nodes.get(str(node_id))
        if node is None:
            remove_slot(draft, tasks)
        elif not keeps_tasks(node) or not belongs(draft, node):
            for task in filter(draft.is_runnable, tasks):
                draft.set_desired(task, TaskState.SHUTDOWN)


def cover(draft: Draft) -> None:
    """Make the tasks that nodes lack. A paused node keeps its task, and gets no new one."""
    slots = draft.slots()
    for node in draft.nodes.values():
        tasks = slots.get(node.id, [])
        if any(map(draft.is_runnable, tasks)) or (tasks and is_finished(tasks[-1], draft.now_ns)):
            continue
        if takes_tasks(node) and belongs(draft, node):
            draft.create(draft.first_state(tasks), node_id=node.id)


def belongs(draft: Draft, node: Node) -> bool:
    """Tell whether the service's constraints let it be on a node."""
    placement = draft.service.spec.TaskTemplate.Placement
    return placement is None or is_met(parse_constraints(placement.Constraints), node)
