"""Replicated and global services, jobs: the tasks that they are to have, whatever happens."""

from __future__ import annotations

from msgspec.structs import replace

from api.types.nodes import NodeSpec
from api.types.tasks import Placement, RestartPolicy, TaskState, TaskStatus
from manager.core.objects.task import Task
from manager.core.orchestrator.actions import CreateTask, SetDesired
from manager.core.orchestrator.defaults import SECOND_NS
from manager.core.orchestrator.enforcer import UNFIT, enforce
from manager.core.orchestrator.restart import STOP_TIMEOUT_NS
from tests.unit.manager.core.orchestrator.world import (
    GLOBAL,
    GLOBAL_JOB,
    World,
    job,
    replicas,
    spec,
)
from tests.unit.manager.core.scheduler.samples import reserve

S = TaskState


def test_a_service_gets_its_replicas_in_the_lowest_slots() -> None:
    world = World(spec(replicas(3)))

    world.settle()

    assert [1, 2, 3] == world.slots()
    assert [] == world.orchestrate()


def test_what_is_missing_fills_the_lowest_free_slots() -> None:
    world = World(spec(replicas(2)))
    world.settle()
    world.update(spec(replicas(4)))

    created = [each.task.slot for each in world.orchestrate() if isinstance(each, CreateTask)]

    assert [3, 4] == created


def test_surplus_is_taken_from_the_nodes_that_hold_most() -> None:
    world = World(spec(replicas(4)), names="ab")
    world.settle()
    on_a = [task.id for task in world.running() if task.node_id == "a"]
    world.set_node("c")
    world.update(spec(replicas(3)))

    removed = [each for each in world.orchestrate() if isinstance(each, SetDesired)]

    assert [S.REMOVE] == [each.state for each in removed]
    world.settle()
    assert 3 == len(world.running())
    assert {"a", "b"} == {task.node_id for task in world.running()}
    assert 2 == len(on_a)


def test_tasks_that_do_not_run_are_the_first_to_go() -> None:
    world = World(spec(replicas(3)))
    world.settle()
    stuck = world.running()[0]
    world.tasks[stuck.id] = replace(stuck, status=TaskStatus(State=S.PREPARING))
    world.update(spec(replicas(2)))

    assert [SetDesired(stuck.id, S.REMOVE)] == world.orchestrate()


def test_scaled_to_none_everything_is_forgotten() -> None:
    world = World(spec(replicas(3)))
    world.settle()

    world.update(spec(replicas(0)))
    world.settle()

    assert {} == world.tasks


def test_a_removed_service_goes_when_its_last_task_has_gone() -> None:
    world = World(spec(replicas(2)))
    world.settle()

    world.remove()
    world.orchestrate()
    is_there = world.service is not None
    world.settle()

    assert (True, None, {}) == (is_there, world.service, world.tasks)


def ended(world: World, state: TaskState = S.FAILED) -> Task:
    """End one running task, and return it."""
    task = world.running()[0]
    world.see(task.id, state)
    return task


def test_a_failed_task_is_replaced_after_its_delay() -> None:
    world = World(spec(replicas(1), restart=RestartPolicy(Delay=3 * SECOND_NS)))
    world.settle()
    old = ended(world)

    world.round()
    (new,) = (task for task in world.tasks.values() if task.id != old.id)

    assert (S.READY, old.slot, 1) == (new.desired_state, new.slot, new.attempt)
    assert world.now_ns + 3 * SECOND_NS == new.start_ns == world.wake_ns
    world.pass_time(2.9)
    for _ in range(10):
        world.round()
    assert S.READY is world.tasks[new.id].status.State
    world.pass_time(0.1)
    world.settle()
    assert [new.id] == [task.id for task in world.running()]


def test_a_task_that_cannot_even_be_prepared_is_replaced_once_per_delay() -> None:
    """It ends while it waits in READY; without a pause this would go round as fast as it can."""
    world = World(spec(replicas(1), restart=RestartPolicy(Delay=3 * SECOND_NS)))
    world.settle()
    ended(world)
    world.orchestrate()
    (waiting,) = (task for task in world.tasks.values() if task.desired_state is S.READY)

    world.see(waiting.id, S.REJECTED)
    world.orchestrate()

    assert [waiting.id] == [task.id for task in world.tasks.values() if task.attempt == 1]
    assert waiting.start_ns == world.wake_ns
    world.pass_time(3)
    world.orchestrate()
    (next_,) = (task for task in world.tasks.values() if task.desired_state is S.READY)
    assert (2, world.now_ns + 3 * SECOND_NS) == (next_.attempt, next_.start_ns)


def test_the_default_delay_is_five_seconds() -> None:
    world = World(spec(replicas(1)))
    world.settle()
    ended(world)

    world.orchestrate()

    assert world.now_ns + 5 * SECOND_NS == world.wake_ns


def test_what_crashes_at_once_slows_down_where_no_delay_is_wanted() -> None:
    """No busy loop; but the first few are replaced at once, for somebody may have killed them."""
    world = World(spec(replicas(1), restart=RestartPolicy(Delay=0)))
    world.fails = lambda _: True
    begun_ns, made = world.now_ns, set()

    while world.now_ns < begun_ns + 60 * SECOND_NS:
        before = dict(world.tasks)
        world.round()
        made |= set(world.tasks)
        if before == world.tasks:
            world.now_ns = max(world.now_ns + SECOND_NS // 1000, world.wake_ns)
        if len(made) == 4:
            assert begun_ns == world.now_ns

    assert 10 < len(made) < 25
    assert len(world.tasks) <= 6


def test_what_ran_for_a_while_is_replaced_without_delay_again() -> None:
    world = World(spec(replicas(1), restart=RestartPolicy(Delay=0)))
    for uptime_s in (0, 0, 0, 0, 60, 0):
        world.settle()
        world.pass_time(uptime_s)
        ended(world)

    world.orchestrate()
    newest = max(world.tasks.values(), key=lambda task: int(task.id.removeprefix("t")))

    assert 1 == newest.quick_ends
    assert world.now_ns == newest.start_ns


def test_a_policy_without_restarts_leaves_the_slot_finished() -> None:
    world = World(spec(replicas(2), restart=RestartPolicy(Condition="none")))
    world.settle()

    ended(world, S.COMPLETE)
    world.settle()

    assert 1 == len(world.running())
    assert 2 == len(world.tasks)


def test_success_is_no_failure() -> None:
    world = World(spec(replicas(2), restart=RestartPolicy(Condition="on-failure")))
    world.settle()

    ended(world, S.COMPLETE)
    ended(world, S.FAILED)
    world.settle()

    assert 1 == len(world.running())


def test_attempts_are_counted_until_there_are_no_more() -> None:
    """The count is in the tasks, so that it outlives the leader and the history's limit."""
    policy = RestartPolicy(Delay=0, MaxAttempts=3)
    world = World(spec(replicas(1), restart=policy), history_limit=0)
    world.fails = lambda _: True

    world.settle()

    assert [3] == [task.attempt for task in world.tasks.values()] or not world.tasks
    assert not world.running()


def test_attempts_outside_the_window_do_not_count() -> None:
    policy = RestartPolicy(Delay=0, MaxAttempts=2, Window=60 * SECOND_NS)
    world = World(spec(replicas(1), restart=policy))
    world.settle()
    for _ in range(5):
        ended(world)
        world.settle()
        world.pass_time(61)

    assert 1 == len(world.running())
    ended(world)
    world.settle()
    ended(world)
    world.settle()
    ended(world)
    world.settle()
    assert [] == world.running()


def test_a_new_spec_begins_to_count_anew() -> None:
    policy = RestartPolicy(Delay=0, MaxAttempts=1)
    world = World(spec(replicas(1), restart=policy))
    world.fails = lambda task: world.image(task) == "a"
    world.settle()

    world.update(spec(replicas(1), "b", restart=policy))
    world.settle()

    assert ["b"] == [world.image(task) for task in world.running()]


def test_tasks_of_a_dead_node_run_elsewhere_at_once() -> None:
    world = World(spec(replicas(3)))
    world.settle()

    world.set_node("a", state="down")
    before_ns = world.now_ns
    for _ in range(9):
        world.round()

    assert before_ns == world.now_ns
    assert [1, 2, 3] == sorted(task.slot for task in world.running() if task.node_id in "bc")


def test_a_drained_node_is_emptied_and_a_paused_one_is_not() -> None:
    world = World(spec(replicas(3)))
    world.settle()

    world.set_node("a", availability="drain")
    world.set_node("b", availability="pause")
    world.settle()

    assert {"b": 1, "c": 2} == {
        name: sum(task.node_id == name for task in world.running()) for name in "bc"
    }


def test_a_node_that_comes_back_stops_what_was_replaced() -> None:
    world = World(spec(replicas(3)))
    world.settle()
    world.set_node("a", state="down")
    world.settle()

    world.set_node("a")
    world.settle()

    assert [1, 2, 3] == world.slots()
    assert not [
        task
        for task in world.tasks.values()
        if task.status.State is S.RUNNING and task.desired_state is not S.RUNNING
    ]


def test_a_replacement_waits_for_the_old_task_to_stop_but_not_for_ever() -> None:
    world = World(spec(replicas(1)), names="ab")
    world.settle()
    old = world.running()[0]
    world.set_node(old.node_id, availability="drain")
    for _ in range(2):
        world.orchestrate()
        world.schedule()
    (new,) = (task for task in world.tasks.values() if task.id != old.id)

    world.orchestrate()
    waiting = world.tasks[new.id].desired_state
    assert new.meta.created_ns + STOP_TIMEOUT_NS == world.wake_ns
    world.now_ns = world.wake_ns
    world.orchestrate()

    assert (S.READY, S.RUNNING) == (waiting, world.tasks[new.id].desired_state)


def test_doubled_tasks_are_stopped() -> None:
    world = World(spec(replicas(1)))
    world.settle()
    first = world.running()[0]
    later = replace(first.meta, created_ns=first.meta.created_ns + 1)
    world.tasks["double"] = replace(first, id="double", meta=later)

    assert [SetDesired("double", S.SHUTDOWN)] == world.orchestrate()


def test_a_global_service_is_on_every_node_that_fits() -> None:
    world = World(spec(GLOBAL, Placement=Placement(Constraints=["node.hostname!=c"])))
    world.set_node("d", availability="pause")

    world.settle()

    assert ["a", "b"] == sorted(task.node_id for task in world.running())
    world.set_node("e")
    world.settle()
    assert ["a", "b", "e"] == sorted(task.node_id for task in world.running())


def test_a_global_service_leaves_nodes_that_no_longer_fit() -> None:
    constraint = Placement(Constraints=["node.labels.off!=yes"])
    world = World(spec(GLOBAL, Placement=constraint))
    world.settle()

    world.set_node("a", labels={"off": "yes"})
    world.set_node("b", availability="drain")
    del world.nodes["c"]
    world.settle()
    gone = list(world.running())
    world.set_node("a")
    world.set_node("b")
    world.settle()

    assert [] == gone
    assert ["a", "b"] == sorted(task.node_id for task in world.running())


def test_a_failed_task_of_a_global_service_is_replaced_on_its_node() -> None:
    world = World(spec(GLOBAL))
    world.settle()

    task = ended(world)
    world.settle()

    assert ["a", "b", "c"] == sorted(each.node_id for each in world.running())
    assert task.id not in {each.id for each in world.running()}


def completed(world: World) -> int:
    return sum(task.status.State is S.COMPLETE for task in world.tasks.values())


def test_a_job_runs_so_many_at_once_and_so_many_in_all() -> None:
    world = World(spec(job(2, 5)), history_limit=0)
    most = 0

    for _ in range(100):
        world.round()
        most = max(most, sum(S.NEW <= t.status.State <= S.RUNNING for t in world.tasks.values()))

    assert (2, 5) == (most, completed(world))
    assert [] == world.orchestrate()


def test_a_job_runs_once_by_default_and_as_often_as_at_once() -> None:
    assert [1, 3] == [completed(_settled(mode)) for mode in (job(None), job(3))]


def test_a_job_of_none_at_once_waits() -> None:
    """As with Docker: an explicit 0 is no default, and lets nothing begin until it is changed."""
    world = World(spec(job(0, 3)))
    world.settle()
    assert not world.tasks

    world.update(spec(job(2, 3)))
    world.settle()

    assert 3 == completed(world)


def _settled(mode: object) -> World:
    world = World(spec(mode))  # type: ignore[arg-type] # a ServiceMode, made by the caller
    world.settle()
    return world


def test_failed_tasks_of_a_job_are_tried_again_as_the_policy_says() -> None:
    world = World(spec(job(1, 1), restart=RestartPolicy(Delay=0, MaxAttempts=2)))
    world.fails = lambda task: task.attempt < 2

    world.settle()

    assert 1 == completed(world)


def test_a_job_that_cannot_succeed_comes_to_an_end() -> None:
    world = World(spec(job(1, 3), restart=RestartPolicy(Delay=0, MaxAttempts=1)))
    world.fails = lambda _: True

    world.settle()

    assert {1: 2, 2: 2, 3: 2} == {
        slot: sum(task.slot == slot for task in world.tasks.values()) for slot in (1, 2, 3)
    }


def test_a_changed_job_runs_again() -> None:
    world = World(spec(job(2, 2)))
    world.settle()

    world.update(spec(job(2, 2), "b"))
    world.settle()

    assert ["b", "b"] == [world.image(task) for task in world.tasks.values()]
    assert 2 == completed(world)


def test_a_global_job_runs_once_on_every_node() -> None:
    world = World(spec(GLOBAL_JOB))
    world.settle()
    world.set_node("d")
    world.set_node("a", availability="drain")

    world.settle()

    assert ["a", "b", "c", "d"] == sorted(
        task.node_id for task in world.tasks.values() if task.status.State is S.COMPLETE
    )


def test_a_global_job_begins_again_on_a_node_that_was_away() -> None:
    world = World(spec(GLOBAL_JOB))
    for _ in range(3):
        world.orchestrate()
        world.schedule()

    world.set_node("a", state="down")
    world.settle()
    assert {"b", "c"} == _completed_on(world)
    world.set_node("a")
    world.settle()

    assert {"a", "b", "c"} == _completed_on(world)


def _completed_on(world: World) -> set[str]:
    return {t.node_id for t in world.tasks.values() if t.status.State is S.COMPLETE}


def test_history_is_kept_up_to_its_limit() -> None:
    world = World(spec(replicas(1), restart=RestartPolicy(Delay=0)), history_limit=2)
    world.settle()
    for _ in range(4):
        ended(world)
        world.settle()

    assert (3, 1) == (len(world.tasks), len(world.running()))


def test_all_history_is_kept_where_the_limit_is_negative() -> None:
    world = World(spec(replicas(1), restart=RestartPolicy(Delay=0)), history_limit=-1)
    world.settle()
    for _ in range(7):
        ended(world)
        world.settle()

    assert 8 == len(world.tasks)


def test_a_node_that_no_longer_fits_loses_its_tasks() -> None:
    """Constraints, and reservations of which the oldest tasks keep theirs."""
    world = World(
        spec(
            replicas(2),
            Placement=Placement(Constraints=["node.labels.disk!=hdd"]),
            Resources=reserve(cpus=3),
        ),
        names="a",
    )
    world.settle()
    tasks = world.running()

    world.set_node("a", cpus=4)
    smaller = enforce(world.nodes["a"], tasks)
    world.set_node("a", labels={"disk": "hdd"})
    unfit = enforce(world.nodes["a"], tasks)
    drained = enforce(world.nodes["a"].__class__(id="a", spec=NodeSpec(Availability="drain")), [])

    assert [tasks[1].id] == [each.task_id for each in smaller]
    assert {UNFIT} == {each.reason for each in unfit}
    assert (2, []) == (len(unfit), drained)
