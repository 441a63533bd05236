"""Constraints are enforced: a node that no longer fits its tasks loses them."""

from __future__ import annotations

from collections.abc import Iterable

from api.types.tasks import Placement, TaskState
from manager.core.objects.node import Node
from manager.core.objects.task import Task
from manager.core.orchestrator.actions import RejectTask
from manager.core.orchestrator.view import keeps_tasks
from manager.core.scheduler.constraint import is_met, parse_constraints
from manager.core.scheduler.resources import Free, demand_of

UNFIT = "assigned node no longer meets constraints"
_ANYWHERE = Placement()


def enforce(node: Node, tasks: Iterable[Task]) -> list[RejectTask]:
    """Return the tasks on a node that it no longer meets the constraints or reservations of.

    The oldest keep their resources. Nodes that are down or drained are emptied by others.
    """
    if not keeps_tasks(node):
        return []
    free = Free(node.description.Resources)
    rejected = []
    for task in sorted(tasks, key=lambda task: (task.meta.created_ns, task.id)):
        if not _is_here(task):
            continue
        placement = task.spec.Placement or _ANYWHERE
        demand = demand_of(task.spec)
        if is_met(parse_constraints(placement.Constraints), node) and free.has(demand):
            free.claim(demand)
        else:
            rejected.append(RejectTask(task.id, UNFIT))
    return rejected


def _is_here(task: Task) -> bool:
    return (
        task.desired_state <= TaskState.COMPLETE
        and TaskState.ASSIGNED <= task.status.State <= TaskState.RUNNING
    )
