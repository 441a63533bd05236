"""Where tasks go, why some stay, and what comes free again."""

from __future__ import annotations

from typing import Any

import pytest

from api.types.cluster_networks import PortConfig
from api.types.container_spec import ContainerSpec
from api.types.containers import Mount, VolumeDriverConfig, VolumeOptions
from api.types.nodes import Platform, PluginDescription
from api.types.objects import Driver
from api.types.tasks import Placement, TaskSpec, TaskState, TaskStatus
from manager.core.objects.node import Node
from manager.core.scheduler.node_info import FAILURE_WINDOW_NS, MAX_FAILURES
from manager.core.scheduler.place import CONFIRMED, Assignment
from manager.core.scheduler.recheck import Recheck
from manager.core.scheduler.scheduler import is_held_alike
from tests.unit.manager.core.scheduler.samples import (
    GIB,
    changed,
    counts,
    decide,
    named,
    node,
    over,
    places,
    reasons,
    reserve,
    scheduler,
    some,
    tasks,
)

HOST_PORT = [PortConfig(Protocol="tcp", TargetPort=80, PublishedPort=80, PublishMode="host")]


def test_tasks_of_a_service_are_spread_evenly() -> None:
    decisions = decide(scheduler([node("a"), node("b"), node("c")], tasks("web", 7)))

    assert [2, 2, 3] == sorted(counts(decisions).values())


def test_of_equal_nodes_the_less_loaded_gets_the_task() -> None:
    made = scheduler([node("a"), node("b")], tasks("one", 1, node_id="a"))
    decide(made)

    made.set_task(tasks("two", 1)[0], 0)

    assert {"two.1": "b"} == places(decide(made))


def test_spreading_the_service_weighs_more_than_load() -> None:
    made = scheduler([node("a"), node("b")], [*tasks("busy", 9, node_id="b")])
    decide(made)

    for task in tasks("web", 2):
        made.set_task(task, 0)

    assert {"a": 1, "b": 1} == counts(decide(made))


def test_preferences_are_obeyed_from_the_weightiest() -> None:
    """Source: docker service create, `--placement-pref`: equal shares per value, then deeper."""
    nodes = [
        node("a", labels={"zone": "east", "rack": "1"}),
        node("b", labels={"zone": "east", "rack": "2"}),
        node("c", labels={"zone": "east", "rack": "2"}),
        node("d", labels={"zone": "west", "rack": "1"}),
    ]

    decisions = decide(
        scheduler(nodes, tasks("web", 8, spec=TaskSpec(Placement=over("zone", "rack"))))
    )

    assert {"a": 2, "b": 1, "c": 1, "d": 4} == counts(decisions)


def test_nodes_without_the_label_are_one_share() -> None:
    nodes = [node("a", labels={"zone": "east"}), node("b"), node("c")]

    decisions = decide(scheduler(nodes, tasks("web", 4, spec=TaskSpec(Placement=over("zone")))))

    assert {"a": 2, "b": 1, "c": 1} == counts(decisions)


def test_a_full_branch_leaves_its_share_to_others() -> None:
    nodes = [
        node("a", cpus=1, labels={"zone": "east"}),
        node("b", cpus=8, labels={"zone": "west"}),
    ]
    spec = TaskSpec(Placement=over("zone"), Resources=reserve(cpus=1))

    decisions = decide(scheduler(nodes, tasks("web", 6, spec=spec)))

    assert {"a": 1, "b": 5} == counts(decisions)


def test_tasks_on_drained_nodes_count_for_their_branch() -> None:
    nodes = [node("a", labels={"zone": "east"}), node("b", labels={"zone": "west"})]
    web = tasks("web", 4, spec=TaskSpec(Placement=over("zone")))
    made = scheduler([*nodes, node("c", labels={"zone": "east"})], [])
    for task in web[:2]:
        made.set_task(changed(task, TaskState.RUNNING, node_id="a"), 0)
    made.set_node(node("a", labels={"zone": "east"}, availability="drain"))

    for task in web[2:]:
        made.set_task(task, 0)

    assert {"b": 2} == counts(decide(made))


def with_spec(**parts: Any) -> TaskSpec:
    return TaskSpec(**parts)


@pytest.mark.parametrize(
    ("nodes", "spec", "reason"),
    [
        ([], TaskSpec(), "no suitable node"),
        (
            [node("a", state="down")],
            TaskSpec(),
            "no suitable node (1 node not available for new tasks)",
        ),
        (
            [node("a", availability="drain"), node("b", availability="pause")],
            TaskSpec(),
            "no suitable node (2 nodes not available for new tasks)",
        ),
        (
            [node("a", cpus=1)],
            with_spec(Resources=reserve(cpus=2)),
            "no suitable node (insufficient resources on 1 node)",
        ),
        (
            [node("a"), node("b")],
            with_spec(Placement=Placement(Constraints=["node.role==manager"])),
            "no suitable node (scheduling constraints not satisfied on 2 nodes)",
        ),
        (
            [node("a", cpus=1), node("b", labels={"x": "y"}), node("c", labels={"x": "y"})],
            with_spec(
                Placement=Placement(Constraints=["node.labels.x!=y"]),
                Resources=reserve(cpus=2),
            ),
            "no suitable node (scheduling constraints not satisfied on 2 nodes; "
            "insufficient resources on 1 node)",
        ),
        (
            [node("a"), node("b", architecture="aarch64")],
            with_spec(Placement=Placement(Platforms=[Platform("s390x", "linux")])),
            "no suitable node (unsupported platform on 2 nodes)",
        ),
        (
            [node("a", plugins=[PluginDescription("Log", "json-file")])],
            with_spec(LogDriver=Driver("fluentd")),
            "no suitable node (missing plugin on 1 node)",
        ),
        (
            [node("a")],
            with_spec(
                ContainerSpec=ContainerSpec(
                    Mounts=[
                        Mount(
                            Type="volume",
                            Target="/d",
                            VolumeOptions=VolumeOptions(DriverConfig=VolumeDriverConfig("nfs")),
                        )
                    ]
                )
            ),
            "no suitable node (missing plugin on 1 node)",
        ),
        (
            [node("a")],
            with_spec(
                ContainerSpec=ContainerSpec(Mounts=[Mount(Type="cluster", Source="v", Target="/d")])
            ),
            "no suitable node (cannot fulfill requested CSI volume mounts on 1 node)",
        ),
        (
            [node("a", generic=[some("gpu", 1)])],
            with_spec(Resources=reserve(generic=[some("gpu", 2)])),
            "no suitable node (insufficient resources on 1 node)",
        ),
    ],
)
def test_a_task_that_finds_no_node_says_why(nodes: list[Node], spec: TaskSpec, reason: str) -> None:
    assert {"web.1": reason} == reasons(decide(scheduler(nodes, tasks("web", 1, spec=spec))))


@pytest.mark.parametrize(
    ("made_for", "runs_on"),
    [
        (Platform("amd64", "linux"), "x86_64"),
        (Platform("arm64", "linux"), "aarch64"),
        (Platform("", "linux"), "riscv64"),
        (Platform("amd64", ""), "x86_64"),
    ],
)
def test_platforms_have_two_spellings(made_for: Platform, runs_on: str) -> None:
    spec = TaskSpec(Placement=Placement(Platforms=[made_for]))

    decisions = decide(scheduler([node("a", architecture=runs_on)], tasks("web", 1, spec=spec)))

    assert {"web.1": "a"} == places(decisions)


def test_plugins_are_found_with_and_without_the_tag() -> None:
    nodes = [node("a", plugins=[PluginDescription("Volume", "nfs:latest")])]
    mount = Mount(
        Type="volume",
        Target="/d",
        VolumeOptions=VolumeOptions(DriverConfig=VolumeDriverConfig("nfs")),
    )
    spec = TaskSpec(ContainerSpec=ContainerSpec(Mounts=[mount]))

    assert {"web.1": "a"} == places(decide(scheduler(nodes, tasks("web", 1, spec=spec))))


def test_a_node_takes_as_many_tasks_as_it_has_resources_for() -> None:
    spec = TaskSpec(Resources=reserve(cpus=1.5, memory=GIB))

    decisions = decide(
        scheduler([node("a", cpus=4), node("b", cpus=2)], tasks("web", 5, spec=spec))
    )

    assert {"a": 2, "b": 1} == counts(decisions)
    assert {"no suitable node (insufficient resources on 2 nodes)"} == set(
        reasons(decisions).values()
    )


def test_a_host_port_is_given_once_per_node() -> None:
    decisions = decide(scheduler([node("a"), node("b")], tasks("web", 3, ports=HOST_PORT)))

    assert {"a": 1, "b": 1} == counts(decisions)
    assert ["no suitable node (host-mode port already in use on 2 nodes)"] == list(
        reasons(decisions).values()
    )


def test_a_port_of_another_protocol_is_another_port() -> None:
    udp = [PortConfig(Protocol="udp", TargetPort=80, PublishedPort=80, PublishMode="host")]
    waiting = [*tasks("web", 1, ports=HOST_PORT), *tasks("dns", 1, ports=udp)]

    assert {"a": 2} == counts(decide(scheduler([node("a")], waiting)))


def test_no_node_gets_more_replicas_than_it_may() -> None:
    spec = TaskSpec(Placement=Placement(MaxReplicas=2))

    decisions = decide(scheduler([node("a"), node("b")], tasks("web", 5, spec=spec)))

    assert {"a": 2, "b": 2} == counts(decisions)
    assert ["no suitable node (max replicas per node limit exceed)"] == list(
        reasons(decisions).values()
    )


def test_generic_resources_are_given_by_name_and_come_back() -> None:
    spec = TaskSpec(Resources=reserve(generic=[some("gpu", 2)]))
    made = scheduler([node("a", generic=[named("gpu", each) for each in "xyz"])], [])
    first, second = tasks("train", 2, spec=spec)
    made.set_task(first, 0)

    (given,) = decide(made)

    assert isinstance(given, Assignment)
    assert [named("gpu", "x"), named("gpu", "y")] == given.generic_resources
    made.set_task(second, 0)
    assert [second.id] == list(reasons(decide(made)))
    running = changed(
        first, TaskState.RUNNING, node_id="a", generic_resources=given.generic_resources
    )
    made.set_task(running, 0)
    assert [] == decide(made)
    made.set_task(changed(running, TaskState.COMPLETE), 0)
    (again,) = decide(made)
    assert isinstance(again, Assignment)
    assert {"x", "y", "z"} >= {
        each.NamedResourceSpec.Value for each in again.generic_resources if each.NamedResourceSpec
    }


def test_counted_generic_resources_are_given_as_a_number() -> None:
    spec = TaskSpec(Resources=reserve(generic=[some("ssd", 2)]))

    (given,) = decide(scheduler([node("a", generic=[some("ssd", 3)])], tasks("db", 1, spec=spec)))

    assert isinstance(given, Assignment)
    assert [some("ssd", 2)] == given.generic_resources


def test_a_task_of_a_global_service_stays_on_its_node() -> None:
    waiting = [
        *tasks("agent", 1, node_id="a"),
        *tasks("agent", 1, node_id="b", first=2),
        *tasks("agent", 1, node_id="gone", first=3),
    ]

    decisions = decide(scheduler([node("a"), node("b", availability="pause")], waiting))

    assert {"agent.1": "a"} == places(decisions)
    assert CONFIRMED in {each.message for each in decisions if isinstance(each, Assignment)}
    assert {
        "agent.2": "no suitable node (1 node not available for new tasks)",
        "agent.3": "no suitable node",
    } == reasons(decisions)


def test_a_node_where_the_service_keeps_failing_is_the_last_choice() -> None:
    """Five failures within five minutes, then it is forgotten."""
    made = scheduler([node("a"), node("b")], [])
    for task in tasks("web", MAX_FAILURES):
        made.set_task(changed(task, TaskState.RUNNING, node_id="a"), 0)
        made.set_task(changed(task, TaskState.FAILED, node_id="a"), 0)

    for task in tasks("web", 3, first=10):
        made.set_task(task, 0)
    avoided = counts(decide(made, now_ns=FAILURE_WINDOW_NS - 1))

    assert {"b": 3} == avoided
    for task in tasks("web", 3, first=20):
        made.set_task(task, 0)
    assert {"a": 3} == counts(decide(made, now_ns=FAILURE_WINDOW_NS))


def test_a_failing_node_is_chosen_where_there_is_no_other() -> None:
    made = scheduler([node("a")], [])
    for task in tasks("web", MAX_FAILURES):
        made.set_task(changed(task, TaskState.RUNNING, node_id="a"), 0)
        made.set_task(changed(task, TaskState.REJECTED, node_id="a"), 0)

    made.set_task(tasks("web", 1, first=9)[0], 0)

    assert {"web.9": "a"} == places(decide(made))


def test_resources_are_held_until_a_task_has_ended() -> None:
    """A task that is to stop no longer counts for spreading, but its memory is in use."""
    spec = TaskSpec(Resources=reserve(cpus=4))
    made = scheduler([node("a", cpus=4)], [])
    old, new = tasks("web", 2, spec=spec)
    running = changed(old, TaskState.RUNNING, node_id="a")
    made.set_task(running, 0)
    made.set_task(new, 0)

    made.set_task(changed(running, TaskState.RUNNING, desired_state=TaskState.SHUTDOWN), 0)
    before = decide(made)
    made.set_task(changed(running, TaskState.SHUTDOWN, desired_state=TaskState.SHUTDOWN), 0)

    assert ["web.2"] == list(reasons(before))
    assert {"web.2": "a"} == places(decide(made))


def test_a_reason_is_told_once_until_something_changes() -> None:
    made = scheduler([node("a", state="down")], tasks("web", 2))

    first, second = decide(made), decide(made)

    assert (2, 0, False) == (len(first), len(second), made.has_work)
    made.set_node(node("a"))
    assert {"a": 2} == counts(decide(made))


def test_a_reason_that_the_task_bears_is_not_told_again() -> None:
    down = node("a", state="down")
    reason = "no suitable node (1 node not available for new tasks)"
    (task,) = tasks("web", 1)
    told = changed(task, TaskState.PENDING, status=TaskStatus(State=TaskState.PENDING, Err=reason))

    assert [] == decide(scheduler([down], [told]))


def test_a_decision_that_was_not_committed_is_taken_back() -> None:
    spec = TaskSpec(Resources=reserve(cpus=8))
    made = scheduler([node("a", cpus=8)], tasks("web", 2, spec=spec))
    decisions = decide(made)

    (placed,) = places(decisions)
    (other,) = reasons(decisions)
    made.remove_task(placed)

    assert {other: "a"} == places(decide(made))


def test_forget_lets_the_task_wait_again() -> None:
    (task,) = tasks("web", 1)
    made = scheduler([node("a")], [task])
    decide(made)

    made.forget(task)

    assert {"web.1": "a"} == places(decide(made))


def test_what_is_scarce_is_shared_between_services() -> None:
    spec = TaskSpec(Resources=reserve(cpus=1))
    nodes = [node("a", cpus=1024)]

    decisions = decide(
        scheduler(nodes, [*tasks("one", 2000, spec=spec), *tasks("two", 2000, spec=spec)])
    )

    placed = [task_id.partition(".")[0] for task_id in places(decisions)]
    assert (512, 512) == (placed.count("one"), placed.count("two"))


def test_tasks_that_are_not_to_run_or_not_allocated_do_not_wait() -> None:
    (task,) = tasks("web", 1)
    waiting = [
        changed(task, TaskState.NEW),
        changed(task, TaskState.PENDING, desired_state=TaskState.SHUTDOWN, id="other"),
    ]

    assert [] == decide(scheduler([node("a")], waiting))


def test_a_removed_node_takes_its_tasks_along() -> None:
    made = scheduler([node("a"), node("b")], [])
    made.set_task(changed(tasks("web", 1)[0], TaskState.RUNNING, node_id="a"), 0)

    made.remove_node("a")
    made.set_node(node("a"))
    for task in tasks("web", 2, first=2):
        made.set_task(task, 0)

    assert {"a": 1, "b": 1} == counts(decide(made))


def test_a_decision_is_looked_at_again_when_it_is_committed() -> None:
    (task,) = tasks("web", 1)

    holds = [
        Recheck().still_holds(task, node("a")),
        Recheck().still_holds(task, node("a", availability="drain")),
        Recheck().still_holds(changed(task, TaskState.ASSIGNED), node("a")),
        Recheck().still_holds(
            changed(task, TaskState.PENDING, desired_state=TaskState.REMOVE), node("a")
        ),
        Recheck().still_holds(None, node("a")),
        Recheck().still_holds(task, None),
    ]

    assert [True, False, False, False, False, False] == holds


@pytest.mark.parametrize(
    ("before", "after", "is_alike"),
    [
        (TaskState.ASSIGNED, TaskState.RUNNING, True),
        (TaskState.STARTING, TaskState.RUNNING, True),
        (TaskState.PENDING, TaskState.ASSIGNED, False),
        (TaskState.RUNNING, TaskState.FAILED, False),
    ],
)
def test_steps_on_the_way_up_change_nothing_of_what_a_task_holds(
    before: TaskState, after: TaskState, is_alike: bool
) -> None:
    old = changed(tasks("web", 1, node_id="a")[0], before)

    assert is_alike is is_held_alike(old, changed(old, after))
    assert not is_held_alike(None, old)
    assert not is_held_alike(old, changed(old, after, desired_state=TaskState.SHUTDOWN))
