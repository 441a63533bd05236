"""Nodes and tasks to schedule."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from api.types.cluster_networks import Endpoint, PortConfig
from api.types.nodes import (
    EngineDescription,
    NodeDescription,
    NodeRole,
    NodeSpec,
    NodeStatus,
    Platform,
    PluginDescription,
)
from api.types.resources import (
    DiscreteGenericResource,
    GenericResource,
    NamedGenericResource,
    ResourceObject,
    ResourceRequirements,
)
from api.types.tasks import (
    Placement,
    PlacementPreference,
    SpreadOver,
    TaskSpec,
    TaskState,
    TaskStatus,
)
from manager.core.objects.node import Node
from manager.core.objects.task import Task
from manager.core.scheduler.place import Assignment, Decision, Unplaced
from manager.core.scheduler.scheduler import Scheduler

CPU = 10**9
GIB = 1 << 30


def node(
    name: str,
    *,
    cpus: int = 8,
    memory: int = 16 * GIB,
    generic: list[GenericResource] | None = None,
    labels: dict[str, str] | None = None,
    state: str = "ready",
    availability: str = "active",
    architecture: str = "x86_64",
    plugins: list[PluginDescription] | None = None,
) -> Node:
    """Return a node; its id is its name."""
    return Node(
        id=name,
        role=NodeRole.WORKER,
        spec=NodeSpec(Role="worker", Availability=availability, Labels=labels or {}),
        description=NodeDescription(
            Hostname=name,
            Platform=Platform(architecture, "linux"),
            Resources=ResourceObject(
                NanoCPUs=cpus * CPU, MemoryBytes=memory, GenericResources=generic or []
            ),
            Engine=EngineDescription(Plugins=plugins or []),
        ),
        status=NodeStatus(State=state),
    )


def reserve(
    cpus: float = 0, memory: int = 0, generic: list[GenericResource] | None = None
) -> ResourceRequirements:
    """Return resources that a task reserves."""
    return ResourceRequirements(
        Reservations=ResourceObject(
            NanoCPUs=int(cpus * CPU), MemoryBytes=memory, GenericResources=generic or []
        )
    )


def some(kind: str, count: int) -> GenericResource:
    """Return a number of a generic resource."""
    return GenericResource(DiscreteResourceSpec=DiscreteGenericResource(kind, count))


def named(kind: str, name: str) -> GenericResource:
    """Return one generic resource by its name."""
    return GenericResource(NamedResourceSpec=NamedGenericResource(kind, name))


def over(*labels: str) -> Placement:
    """Return preferences for labels of nodes."""
    return Placement(
        Preferences=[PlacementPreference(SpreadOver(f"node.labels.{label}")) for label in labels]
    )


def tasks(
    service: str,
    count: int,
    *,
    spec: TaskSpec | None = None,
    ports: list[PortConfig] | None = None,
    node_id: str = "",
    first: int = 1,
) -> list[Task]:
    """Return pending tasks of one service."""
    shared = spec or TaskSpec()
    return [
        Task(
            id=f"{service}.{slot}",
            service_id=service,
            slot=slot,
            node_id=node_id,
            spec=shared,
            desired_state=TaskState.RUNNING,
            status=TaskStatus(State=TaskState.PENDING),
            endpoint=Endpoint(Ports=ports or []),
        )
        for slot in range(first, first + count)
    ]


def scheduler(nodes: list[Node], waiting: list[Task]) -> Scheduler:
    """Return a scheduler that knows nodes and tasks."""
    made = Scheduler()
    for each in nodes:
        made.set_node(each)
    for task in waiting:
        made.set_task(task, 0)
    return made


def decide(made: Scheduler, now_ns: int = 0) -> list[Decision]:
    """Return all decisions."""
    return [decision for batch in made.schedule(now_ns) for decision in batch]


def places(decisions: list[Decision]) -> dict[str, str]:
    """Return where tasks went."""
    return {each.task_id: each.node_id for each in decisions if isinstance(each, Assignment)}


def reasons(decisions: list[Decision]) -> dict[str, str]:
    """Return why tasks stayed."""
    return {each.task_id: each.reason for each in decisions if isinstance(each, Unplaced)}


def counts(decisions: list[Decision]) -> dict[str, int]:
    """Return how many tasks each node got."""
    found: dict[str, int] = {}
    for node_id in places(decisions).values():
        found[node_id] = found.get(node_id, 0) + 1
    return found


def changed(task: Task, state: TaskState, **parts: Any) -> Task:
    """Return a task in another state."""
    return replace(task, **{"status": TaskStatus(State=state), **parts})
