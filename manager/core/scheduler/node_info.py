"""What the scheduler knows of one node: the node, what is free, who is there, who failed there."""

from __future__ import annotations

from api.types.resources import GenericResource
from api.types.tasks import TaskState
from manager.core.objects.node import Node
from manager.core.objects.task import Task
from manager.core.scheduler.requirements import Port, Requirements, ServiceVersion
from manager.core.scheduler.resources import Free

FAILURE_WINDOW_NS = 5 * 60 * 10**9
MAX_FAILURES = 5
"""From so many failures of a service within the window on, a node is its last choice."""

_MEMORY = 20
"""Failures that are remembered of one service on one node."""


class NodeInfo:
    """Bookkeeping of one node; `order` tells nodes apart where nothing else does.

    by_service counts tasks that are to run, without those that are to stop; both kinds hold
    their resources and ports until they have ended.
    """

    __slots__ = (
        "_failures",
        "_held",
        "active",
        "by_service",
        "free",
        "node",
        "order",
        "plugins",
        "ports",
    )

    def __init__(self, node: Node, order: int) -> None:
        self.order = order
        self.by_service: dict[str, int] = {}
        self.active = 0
        self._held: dict[str, _Held] = {}
        self._failures: dict[ServiceVersion, list[int]] = {}
        self.replace(node)

    def replace(self, node: Node) -> None:
        """Take in what changed of the node itself; its tasks stay."""
        self.node = node
        self.free = Free(node.description.Resources)
        self.ports: dict[Port, int] = {}
        self.plugins = frozenset(
            (plugin.Type, plugin.Name) for plugin in node.description.Engine.Plugins
        )
        for held in self._held.values():
            self.free.reclaim(held.needs.demand, held.given)
            self._count_ports(held.needs, 1)

    def assign(self, task_id: str, needs: Requirements) -> list[GenericResource]:
        """Take in a task that was just placed here, and return the generic resources for it."""
        given = self.free.claim(needs.demand)
        self._hold(task_id, _Held(needs, given))
        return given

    def holds(self, task: Task, needs: Requirements) -> bool:
        """Tell whether a task is entered here just as it is."""
        held = self._held.get(task.id)
        return (
            held is not None
            and held.needs is needs
            and held.is_active is (task.desired_state <= TaskState.COMPLETE)
            and held.given == task.generic_resources
        )

    def add(self, task: Task, needs: Requirements) -> None:
        """Take in a task that is here, or what changed of it."""
        self.remove(task.id)
        self.free.reclaim(needs.demand, task.generic_resources)
        held = _Held(needs, task.generic_resources)
        held.is_active = task.desired_state <= TaskState.COMPLETE
        self._hold(task.id, held)

    def remove(self, task_id: str) -> bool:
        """Forget a task that has ended; False if it was not here."""
        held = self._held.pop(task_id, None)
        if held is None:
            return False
        self.free.release(held.needs.demand, held.given)
        self._count_ports(held.needs, -1)
        if held.is_active:
            self._count_active(held.needs.service_id, -1)
        return True

    def note_failure(self, version: ServiceVersion, now_ns: int) -> None:
        """Remember that a task failed here."""
        moments = self._failures.setdefault(version, [])
        moments.append(now_ns)
        del moments[:-_MEMORY]

    def recent_failures(self, version: ServiceVersion, now_ns: int) -> int:
        """Return how often the service failed here lately, 0 while that is few."""
        if not self._failures or version not in self._failures:
            return 0
        recent = [each for each in self._failures[version] if each > now_ns - FAILURE_WINDOW_NS]
        if not recent:
            del self._failures[version]
        return len(recent) if len(recent) >= MAX_FAILURES else 0

    def has_failed(self, version: ServiceVersion) -> bool:
        """Tell whether failures of the service are remembered; `recent_failures` drops old ones."""
        return version in self._failures

    def task_ids(self) -> list[str]:
        """Return the tasks that hold resources here."""
        return list(self._held)

    def _hold(self, task_id: str, held: _Held) -> None:
        self._held[task_id] = held
        self._count_ports(held.needs, 1)
        if held.is_active:
            self._count_active(held.needs.service_id, 1)

    def _count_active(self, service_id: str, change: int) -> None:
        self.active += change
        count = self.by_service.get(service_id, 0) + change
        if count:
            self.by_service[service_id] = count
        else:
            del self.by_service[service_id]

    def _count_ports(self, needs: Requirements, change: int) -> None:
        for port in needs.ports:
            count = self.ports.get(port, 0) + change
            if count:
                self.ports[port] = count
            else:
                del self.ports[port]


class _Held:
    """A task on a node: what it needs, what it was given, whether it is to run."""

    __slots__ = ("given", "is_active", "needs")

    def __init__(self, needs: Requirements, given: list[GenericResource]) -> None:
        self.needs = needs
        self.given = given
        self.is_active = True
