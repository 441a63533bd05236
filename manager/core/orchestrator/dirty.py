"""Whether a task still is what its service says."""

from __future__ import annotations

from msgspec.structs import replace

from api.types.tasks import Placement, TaskSpec
from manager.core.objects.node import Node
from manager.core.objects.service import Service
from manager.core.objects.task import Task
from manager.core.orchestrator.new_task import NO_ENDPOINT
from manager.core.scheduler.constraint import is_met, parse_constraints

_ANYWHERE = Placement()


def is_dirty(service: Service, task: Task, node: Node | None) -> bool:
    """Tell whether a task must be replaced: the task template or the endpoint changed.

    Labels of the service and its mode make no task dirty; neither do constraints that the task's
    node meets.
    """
    if task.spec_version == service.spec_version:
        return False
    if task.endpoint.Spec != (service.spec.EndpointSpec or NO_ENDPOINT):
        return True
    before, after = task.spec, service.spec.TaskTemplate
    if before is after or before == after:
        return False
    constraints = (after.Placement or _ANYWHERE).Constraints
    if node is None or _elsewhere(before) != _elsewhere(after):
        return True
    return not is_met(parse_constraints(constraints), node)


def _elsewhere(spec: TaskSpec) -> TaskSpec:
    """Return a spec without its constraints."""
    return replace(spec, Placement=replace(spec.Placement or _ANYWHERE, Constraints=[]))
