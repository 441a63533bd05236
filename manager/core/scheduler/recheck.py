"""The second look at decisions, in the transaction that commits them."""

from __future__ import annotations

from collections.abc import Callable

from api.types.tasks import TaskState
from manager.core.objects.node import Node
from manager.core.objects.task import Task
from manager.core.scheduler.node_info import NodeInfo
from manager.core.scheduler.pipeline import Pipeline
from manager.core.scheduler.requirements import ServiceVersion, requirements_of


class Recheck:
    """Looks at the decisions of one transaction, at what tasks of a service share only once."""

    def __init__(self, known: Callable[[str], Node | None] = lambda _: None) -> None:
        """Begin; `known` gives nodes as they were when they were chosen."""
        self._known = known
        self._pipelines: dict[ServiceVersion, Pipeline] = {}
        self._fits: dict[tuple[ServiceVersion, str], bool] = {}

    def still_holds(self, task: Task | None, node: Node | None) -> bool:
        """Tell whether a task still waits for a node, and the chosen node may still have it.

        What other tasks took meanwhile is not asked: only the scheduler places tasks.
        """
        if task is None or node is None:
            return False
        if task.status.State is not TaskState.PENDING or task.desired_state > TaskState.COMPLETE:
            return False
        if self._known(node.id) is node:
            return True
        key = (task.service_id or task.id, task.spec_version), node.id
        fits = self._fits.get(key)
        if fits is None:
            fits = self._fits[key] = bool(self._pipeline(key[0], task).lasting([NodeInfo(node, 0)]))
        return fits

    def _pipeline(self, version: ServiceVersion, task: Task) -> Pipeline:
        found = self._pipelines.get(version)
        if found is None:
            found = self._pipelines[version] = Pipeline(requirements_of(task))
        return found
