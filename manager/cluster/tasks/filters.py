"""Which tasks a list shows."""

from __future__ import annotations

from collections.abc import Iterable

from api.errors import InvalidArgument
from api.filters import Filters
from api.types.tasks import RuntimeType, TaskState
from manager.cluster.object_filters import has_labels, labels_wanted, starts
from manager.cluster.refs import resolve
from manager.cluster.services.refs import resolve_service
from manager.core.objects.task import Task
from manager.core.orchestrator.dirty import is_dirty
from manager.core.store.query import View
from manager.core.store.tables import NODES

_ACCEPTED = frozenset(
    {"id", "name", "label", "service", "node", "desired-state", "runtime", "_up-to-date"}
)
_STATES = frozenset(state.value for state in TaskState)


class InvalidStateFilter(InvalidArgument):
    """There is no such state of tasks."""

    def __init__(self, state: str) -> None:
        super().__init__(f"Invalid desired-state filter: '{state}'")


class TaskFilters:
    """The filters of GET /tasks; services and nodes are named by id, name or id prefix.

    `_up-to-date` is what the docker command asks for while it shows the progress of an update.
    """

    def __init__(self, filters: Filters, view: View) -> None:
        """Take the filters. Errors: InvalidArgument; NoSuchService, NoSuchNode, AmbiguousRef."""
        filters.check(_ACCEPTED)
        self._view = view
        self._ids = filters.get("id", ())
        self._names = filters.get("name", ())
        self._labels = labels_wanted(filters.get("label", ()))
        self._services = [
            resolve_service(view.services, ref).id for ref in filters.get("service", ())
        ]
        self._nodes = [resolve(NODES, view.nodes, ref).id for ref in filters.get("node", ())]
        self._states = _states(filters.get("desired-state", ()))
        self._runtimes = filters.get("runtime", ()) or (RuntimeType.CONTAINER.value,)
        self._fresh_only = bool(filters.get("_up-to-date"))

    def tasks(self) -> Iterable[Task]:
        """Return the tasks to be shown, found by the narrowest index."""
        found: Iterable[Task]
        if self._services:
            found = (task for each in self._services for task in self._view.tasks.by(service=each))
        elif self._nodes:
            found = (task for each in self._nodes for task in self._view.tasks.by(node=each))
        else:
            found = self._view.tasks
        return (task for task in found if self._fits(task))

    def _fits(self, task: Task) -> bool:
        return (
            (not self._services or task.service_id in self._services)
            and (not self._nodes or task.node_id in self._nodes)
            and (not self._states or task.desired_state.value in self._states)
            and starts(task.id, self._ids)
            and starts(task.service_name, self._names)
            and (not self._labels or has_labels(task.service_labels, self._labels))
            and (task.spec.Runtime or RuntimeType.CONTAINER) in self._runtimes
            and (not self._fresh_only or self._is_fresh(task))
        )

    def _is_fresh(self, task: Task) -> bool:
        service = self._view.services.get(task.service_id)
        node = self._view.nodes.get(task.node_id)
        return service is not None and not is_dirty(service, task, node)


def _states(values: tuple[str, ...]) -> frozenset[str]:
    for value in values:
        if value.lower() not in _STATES:
            raise InvalidStateFilter(value)
    return frozenset(value.lower() for value in values)
