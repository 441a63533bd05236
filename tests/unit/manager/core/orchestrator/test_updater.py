"""Rolling updates and rollbacks: what is replaced, how many at once, when it stops."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from api.types.cluster_networks import EndpointSpec, PortConfig
from api.types.services import UpdateConfig
from api.types.tasks import Placement, RestartPolicy, TaskState
from manager.core.orchestrator.defaults import SECOND_NS
from tests.unit.manager.core.orchestrator.world import GLOBAL, World, replicas, spec

S = TaskState
NO_DELAY = RestartPolicy(Delay=0)


def updating(config: UpdateConfig | None = None, number: int = 4, image: str = "b") -> World:
    """Return a world whose service has just been updated."""
    world = World(spec(replicas(number), "a", update=config, restart=NO_DELAY))
    world.settle()
    world.update(spec(replicas(number), image, update=config, restart=NO_DELAY))
    return world


def in_change(world: World) -> int:
    """Return how many tasks of the new image are on their way."""
    return sum(
        world.image(task) == "b" and task.status.State < S.RUNNING
        for task in world.tasks.values()
        if task.desired_state <= S.RUNNING
    )


@pytest.mark.parametrize(("parallelism", "expected"), [(1, 1), (2, 2), (3, 3), (0, 4)])
def test_so_many_slots_change_at_once(parallelism: int, expected: int) -> None:
    world = updating(UpdateConfig(Parallelism=parallelism))
    most = 0

    for _ in range(60):
        world.round()
        most = max(most, in_change(world))

    assert (expected, 4) == (most, len(world.running("b")))


def test_an_update_says_how_it_goes() -> None:
    """Source: docker service inspect, UpdateStatus; its progress display waits for these."""
    world = updating()
    before = world.status

    world.orchestrate()
    begun = (world.status, world.message)
    world.settle()

    assert ("", ("updating", "update in progress")) == (before, begun)
    assert ("completed", "update completed") == (world.status, world.message)
    assert world.service is not None
    assert world.service.update_status is not None
    assert world.service.update_status.StartedAt
    assert world.service.update_status.CompletedAt


def test_the_last_task_is_watched_before_the_update_ends() -> None:
    world = updating(UpdateConfig(Parallelism=0, Monitor=20 * SECOND_NS))
    for _ in range(20):
        world.round()

    assert ("updating", 4) == (world.status, len(world.running("b")))
    assert world.now_ns + 20 * SECOND_NS == world.wake_ns
    world.pass_time(20)
    world.round()
    assert "completed" == world.status


def test_a_delay_lies_between_two_steps() -> None:
    world = updating(UpdateConfig(Parallelism=1, Delay=10 * SECOND_NS), number=2)
    for _ in range(20):
        world.round()

    assert 1 == len(world.running("b"))
    world.pass_time(9.9)
    for _ in range(20):
        world.round()
    assert 1 == len(world.running("b"))
    world.pass_time(0.1)
    for _ in range(20):
        world.round()
    assert 2 == len(world.running("b"))


def test_stop_first_stops_before_it_starts() -> None:
    world = updating(UpdateConfig(Parallelism=1), number=1)

    for _ in range(40):
        world.round()
        active = [t for t in world.tasks.values() if S.STARTING <= t.status.State <= S.RUNNING]
        assert len(active) <= 1
    assert 1 == len(world.running("b"))


def test_start_first_never_runs_fewer() -> None:
    world = updating(UpdateConfig(Parallelism=1, Order="start-first"), number=2)

    for _ in range(60):
        world.round()
        assert 2 <= len(world.running())
    assert 2 == len(world.running("b")) == len(world.running())


def test_a_start_first_update_that_fails_keeps_the_old_tasks() -> None:
    world = updating(UpdateConfig(Parallelism=1, Order="start-first"), number=2)
    world.fails = lambda task: world.image(task) == "b"

    for _ in range(60):
        world.round()

    assert ("paused", 2) == (world.status, len(world.running("a")))


def test_a_failing_update_is_paused() -> None:
    world = updating()
    world.fails = lambda task: world.image(task) == "b"

    for _ in range(60):
        world.round()

    assert "paused" == world.status
    assert world.message.startswith("update paused due to failure or early termination of task ")
    assert 3 == len(world.running("a"))


def test_a_paused_update_stays_until_the_spec_changes() -> None:
    world = updating()
    world.fails = lambda task: world.image(task) == "b"
    for _ in range(60):
        world.round()
    world.fails = lambda _: False
    for _ in range(60):
        world.round()
    assert 3 == len(world.running("a"))

    world.update(spec(replicas(4), "c", restart=NO_DELAY))
    world.settle()

    assert ("completed", 4) == (world.status, len(world.running("c")))


def test_a_failing_update_goes_on_where_that_is_wanted() -> None:
    world = updating(UpdateConfig(Parallelism=1, FailureAction="continue"))
    world.fails = lambda task: world.image(task) == "b" and task.slot == 1 and not task.attempt

    world.settle()

    assert ("completed", 4) == (world.status, len(world.running("b")))


def test_a_failing_update_is_rolled_back_where_that_is_wanted() -> None:
    config = UpdateConfig(Parallelism=1, FailureAction="rollback")
    world = updating(config)
    world.fails = lambda task: world.image(task) == "b" and task.slot == 2
    for _ in range(60):
        world.round()
        if world.status == "rollback_started":
            break
    message = world.message
    world.settle()

    assert message.startswith("update rolled back due to failure or early termination of task ")
    assert ("rollback_completed", "rollback completed") == (world.status, world.message)
    assert 4 == len(world.running("a")) == len(world.running())


def test_a_rollback_that_fails_is_paused() -> None:
    config = UpdateConfig(Parallelism=1, FailureAction="rollback")
    world = updating(config)
    world.fails = lambda task: task.meta.created_ns > 0 and len(world.running()) < 4

    for _ in range(100):
        world.round()

    assert "rollback_paused" == world.status
    assert world.message.startswith("rollback paused due to failure")


def test_failures_up_to_the_ratio_are_borne() -> None:
    config = UpdateConfig(Parallelism=1, MaxFailureRatio=0.25)
    world = updating(config)
    world.fails = lambda task: world.image(task) == "b" and task.slot == 1 and not task.attempt

    world.settle()

    assert ("completed", 4) == (world.status, len(world.running("b")))


def test_a_task_that_ends_after_it_was_watched_is_no_failure_of_the_update() -> None:
    world = updating(UpdateConfig(Parallelism=1, Monitor=SECOND_NS, Delay=5 * SECOND_NS))
    for _ in range(20):
        world.round()
    (first,) = world.running("b")
    world.pass_time(2)
    world.see(first.id, S.FAILED)

    world.settle()

    assert ("completed", 4) == (world.status, len(world.running("b")))


def test_labels_and_scale_replace_no_task() -> None:
    world = World(spec(replicas(2)))
    world.settle()
    before = {task.id for task in world.running()}

    world.update(spec(replicas(3)))
    world.settle()

    assert before < {task.id for task in world.running()}
    assert "" == world.status


def test_constraints_that_the_node_meets_replace_no_task() -> None:
    world = World(spec(replicas(3)))
    world.settle()
    here = {task.node_id: task.id for task in world.running()}

    world.update(spec(replicas(3), Placement=Placement(Constraints=["node.hostname!=a"])))
    world.schedule = lambda: _onto(world, "b")  # type: ignore[method-assign] # the scheduler knows
    world.settle()

    assert {here["b"], here["c"]} < {task.id for task in world.running()}
    assert here["a"] not in {task.id for task in world.running()}


def _onto(world: World, name: str) -> None:
    for task in list(world.tasks.values()):
        if task.status.State is S.NEW:
            world.tasks[task.id] = replace(task, node_id=name)
            world.see(task.id, S.PENDING)
            world.see(task.id, S.ASSIGNED)


def test_ports_are_part_of_a_task() -> None:
    world = World(spec(replicas(1)))
    world.settle()
    before = world.running()[0].id
    wanted = spec(replicas(1))
    ports = EndpointSpec(Ports=[PortConfig(TargetPort=80, PublishMode="host")])

    world.update(replace(wanted, EndpointSpec=ports))
    world.settle()

    assert before != world.running()[0].id


def test_an_update_of_a_running_update_goes_to_the_newest_spec() -> None:
    world = updating(UpdateConfig(Parallelism=1))
    for _ in range(12):
        world.round()

    world.update(spec(replicas(4), "c", restart=NO_DELAY))
    world.settle()

    assert ("completed", 4) == (world.status, len(world.running("c")))


def test_an_update_scales_meanwhile() -> None:
    world = updating(UpdateConfig(Parallelism=1), number=2)
    world.round()
    world.update(spec(replicas(5), "b", restart=NO_DELAY))

    world.settle()

    assert 5 == len(world.running("b")) == len(world.running())


def test_global_services_are_updated_node_by_node() -> None:
    world = World(spec(GLOBAL, "a", restart=NO_DELAY))
    world.settle()
    world.update(spec(GLOBAL, "b", restart=NO_DELAY))
    most = 0
    for _ in range(60):
        world.round()
        most = max(most, in_change(world))
    world.settle()

    assert (1, "completed") == (most, world.status)
    assert ["a", "b", "c"] == sorted(task.node_id for task in world.running("b"))


def test_a_paused_node_keeps_its_global_task_until_it_takes_tasks_again() -> None:
    """It would lose its task and get no other one."""
    world = World(spec(GLOBAL, "a"))
    world.settle()
    world.set_node("a", availability="pause")

    world.update(spec(GLOBAL, "b"))
    world.settle()
    assert (1, 2) == (len(world.running("a")), len(world.running("b")))
    assert "completed" == world.status
    world.set_node("a")
    world.settle()

    assert 3 == len(world.running("b"))


def test_an_update_goes_on_though_a_node_is_drained() -> None:
    world = updating(UpdateConfig(Parallelism=1))
    world.round()
    world.set_node("a", availability="drain")

    world.settle()

    assert ("completed", 4) == (world.status, len(world.running("b")))
    assert "a" not in {task.node_id for task in world.running()}


def test_finished_slots_are_updated_too() -> None:
    never = RestartPolicy(Condition="none")
    world = World(spec(replicas(1), "a", restart=never))
    world.settle()
    world.see(world.running()[0].id, S.COMPLETE)
    world.settle()

    world.update(spec(replicas(1), "b", restart=never))
    world.settle()

    assert 1 == len(world.running("b"))
