"""Laws of scheduling, on clusters that nobody would think of."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from api.types.cluster_networks import PortConfig
from api.types.tasks import Placement, TaskSpec, TaskState
from manager.core.objects.node import Node
from manager.core.objects.task import Task
from manager.core.scheduler.place import Assignment, Unplaced
from manager.core.scheduler.scheduler import Scheduler
from tests.unit.manager.core.scheduler.samples import (
    CPU,
    changed,
    decide,
    node,
    over,
    places,
    reserve,
    scheduler,
    some,
    tasks,
)

ZONES = st.sampled_from(["east", "west", "north"])


@st.composite
def clusters(draw: st.DrawFn) -> list[Node]:
    return [
        node(
            f"n{index}",
            cpus=draw(st.integers(0, 6)),
            generic=[some("gpu", draw(st.integers(0, 3)))],
            labels={"zone": draw(ZONES), "rack": draw(st.sampled_from("12"))},
            availability=draw(st.sampled_from(["active", "active", "active", "drain"])),
        )
        for index in range(draw(st.integers(0, 6)))
    ]


@st.composite
def services(draw: st.DrawFn) -> list[Task]:
    waiting = []
    for name in "abc"[: draw(st.integers(1, 3))]:
        preferences = draw(st.sampled_from([(), ("zone",), ("zone", "rack")]))
        placement = Placement(
            Constraints=draw(st.sampled_from([[], ["node.labels.zone!=west"]])),
            MaxReplicas=draw(st.integers(0, 2)),
            Preferences=over(*preferences).Preferences,
        )
        port = PortConfig(Protocol="tcp", TargetPort=1, PublishedPort=1, PublishMode="host")
        gpus = draw(st.integers(0, 1))
        spec = TaskSpec(
            Placement=placement,
            Resources=reserve(draw(st.integers(0, 3)), generic=[some("gpu", gpus)] * gpus),
        )
        ports = [port] if draw(st.booleans()) else []
        waiting += tasks(name, draw(st.integers(0, 8)), spec=spec, ports=ports)
    return waiting


def demand(task: Task) -> tuple[int, int]:
    wanted = task.spec.Resources.Reservations if task.spec.Resources else None
    return (wanted.NanoCPUs, len(wanted.GenericResources)) if wanted else (0, 0)


def may_take(place: Node, task: Task, there: list[Task]) -> bool:
    """Tell, by the plainest rules, whether a node may take a task beside others."""
    placement = task.spec.Placement or Placement()
    same = [each for each in there if each.service_id == task.service_id]
    (gpus,) = place.description.Resources.GenericResources
    have = gpus.DiscreteResourceSpec.Value if gpus.DiscreteResourceSpec else 0
    return (
        place.spec.Availability == "active"
        and (not placement.Constraints or place.spec.Labels["zone"] != "west")
        and sum(demand(each)[0] for each in (*there, task)) <= place.description.Resources.NanoCPUs
        and sum(demand(each)[1] for each in (*there, task)) <= have
        and not (placement.MaxReplicas and len(same) >= placement.MaxReplicas)
        and not (task.endpoint.Ports and any(each.endpoint.Ports for each in there))
    )


@settings(deadline=None)
@given(clusters(), services())
def test_every_placement_is_allowed_and_no_task_stays_that_could_go(
    nodes: list[Node], waiting: list[Task]
) -> None:
    by_id = {task.id: task for task in waiting}
    on: dict[str, list[Task]] = {each.id: [] for each in nodes}
    by_name = {each.id: each for each in nodes}

    decisions = decide(scheduler(nodes, waiting))

    assert sorted(by_id) == sorted(each.task_id for each in decisions)
    for decision in decisions:
        if isinstance(decision, Assignment):
            task, place = by_id[decision.task_id], by_name[decision.node_id]
            assert may_take(place, task, on[place.id])
            on[place.id].append(task)
    for decision in decisions:
        if isinstance(decision, Unplaced):
            task = by_id[decision.task_id]
            assert not any(may_take(each, task, on[each.id]) for each in nodes)


@settings(deadline=None)
@given(
    st.lists(st.tuples(ZONES, st.sampled_from("12")), min_size=1, max_size=8),
    st.integers(1, 30),
)
def test_shares_differ_by_one_at_most_on_every_level(
    labels: list[tuple[str, str]], count: int
) -> None:
    nodes = [
        node(f"n{index}", labels={"zone": zone, "rack": rack})
        for index, (zone, rack) in enumerate(labels)
    ]
    spec = TaskSpec(Placement=over("zone", "rack"))

    placed = places(decide(scheduler(nodes, tasks("web", count, spec=spec))))

    paths = {each.id: (*label, each.id) for each, label in zip(nodes, labels, strict=True)}
    for depth in range(3):
        shares: dict[Any, dict[str, int]] = {}
        for path in paths.values():
            shares.setdefault(path[:depth], {}).setdefault(path[depth], 0)
        for node_id in placed.values():
            shares[paths[node_id][:depth]][paths[node_id][depth]] += 1
        for parts in shares.values():
            assert max(parts.values()) - min(parts.values()) <= 1


class Choices(RuleBasedStateMachine):
    """The heaps choose what looking at every node would choose, whatever happened before."""

    def __init__(self) -> None:
        super().__init__()
        self.scheduler = Scheduler()
        self.nodes: list[Node] = []
        self.running: dict[str, Task] = {}
        self.made = 0

    @rule(cpus=st.integers(1, 6))
    def add_node(self, cpus: int) -> None:
        added = node(f"n{len(self.nodes)}", cpus=cpus)
        self.nodes.append(added)
        self.scheduler.set_node(added)

    @rule(service=st.sampled_from("ab"), count=st.integers(1, 6), cpus=st.integers(0, 2))
    def place(self, service: str, count: int, cpus: int) -> None:
        version = (service, cpus)
        spec = TaskSpec(Resources=reserve(cpus))
        waiting = tasks(service, count, spec=spec, first=self.made)
        self.made += count
        waiting = [changed(each, TaskState.PENDING, spec_version=cpus) for each in waiting]
        for task in waiting:
            self.scheduler.set_task(task, 0)
        found = places(decide(self.scheduler))
        for task in waiting:
            expected = self._best(version[0], cpus)
            assert expected == found.get(task.id)
            if expected is None:
                self.scheduler.remove_task(task.id)
                continue
            placed = changed(task, TaskState.RUNNING, node_id=expected)
            self.running[task.id] = placed
            self.scheduler.set_task(placed, 0)

    @rule(data=st.data())
    def end_one(self, data: st.DataObject) -> None:
        if not self.running:
            return
        task = self.running.pop(data.draw(st.sampled_from(sorted(self.running))))
        self.scheduler.set_task(changed(task, TaskState.COMPLETE), 0)

    def _best(self, service: str, cpus: int) -> str | None:
        """Return the node that a look at all of them finds best."""
        keys = []
        for order, place in enumerate(self.nodes):
            there = [each for each in self.running.values() if each.node_id == place.id]
            used = sum(demand(each)[0] for each in there)
            if used + cpus * CPU <= place.description.Resources.NanoCPUs:
                same = sum(each.service_id == service for each in there)
                keys.append((same, len(there), order))
        return self.nodes[min(keys)[2]].id if keys else None

    @invariant()
    def nothing_waits(self) -> None:
        assert not self.scheduler.has_work


TestChoices = Choices.TestCase
TestChoices.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
