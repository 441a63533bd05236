"""Tasks move to emptied and new nodes: one at a time, the new one first, and only where wanted."""

from __future__ import annotations

from collections import Counter

from api.types.services import ReplicatedService, ServiceMode
from api.types.tasks import Placement, PlacementPreference, SpreadOver, TaskState
from manager.core.orchestrator.move import PATIENCE_NS
from manager.core.orchestrator.rebalance import AVOID_NS
from tests.unit.manager.core.orchestrator.world import World, replicas, spec
from tests.unit.manager.core.scheduler.samples import node

S = TaskState


def uneven(is_rebalanced: bool = True) -> World:
    """Return six tasks on two nodes, and a third node that is new."""
    world = World(spec(replicas(6)), names="ab")
    world.is_rebalanced = is_rebalanced
    world.settle()
    world.nodes["c"] = node("c")
    return world


def shares(world: World) -> dict[str, int]:
    """Return how many tasks run on each node."""
    return dict(Counter(task.node_id for task in world.running()))


def begun(world: World) -> str:
    """Let the service be calm for long enough; return the task that is made for the new node."""
    world.pass_time(10)
    world.orchestrate()
    (moved,) = (task.id for task in world.tasks.values() if task.node_id == "c")
    return moved


def test_a_new_node_gets_its_share() -> None:
    world = uneven()

    world.settle()

    assert {"a": 2, "b": 2, "c": 2} == shares(world)
    assert [1, 2, 3, 4, 5, 6] == world.slots()


def test_nothing_moves_unless_it_is_wanted() -> None:
    """Docker never moves running tasks: so it is by default."""
    world = uneven(is_rebalanced=False)

    world.settle()

    assert {"a": 3, "b": 3} == shares(world)


def test_moves_go_one_by_one_and_never_take_a_replica_away() -> None:
    world = uneven()
    moves = []

    for _ in range(40):
        world.pass_time(1)
        for _ in range(10):
            world.round()
            assert 6 <= len(world.running()) <= 7
        moves.append(shares(world).get("c", 0))

    assert {1, 2} == set(moves)
    assert moves.count(1) >= 10


def test_a_task_that_does_not_come_up_leaves_the_old_one_and_the_node_is_left_alone() -> None:
    world = uneven()
    world.fails = lambda task: task.node_id == "c"

    world.settle_for(AVOID_NS // 2)

    assert {"a": 3, "b": 3} == shares(world)
    assert 1 == sum(task.node_id == "c" for task in world.tasks.values())


def test_a_move_that_takes_too_long_is_given_up() -> None:
    world = uneven()
    moved = begun(world)

    world.now_ns += PATIENCE_NS
    world.orchestrate()

    assert S.SHUTDOWN is world.tasks[moved].desired_state
    assert {"a": 3, "b": 3} == shares(world)


def test_an_old_task_that_ends_during_its_move_is_not_replaced_twice() -> None:
    world = uneven()
    moved = begun(world)
    (old,) = (task for task in world.running() if task.slot == world.tasks[moved].slot)

    world.see(old.id, S.FAILED)
    world.orchestrate()

    alive = [task.id for task in world.tasks.values() if task.desired_state is S.RUNNING]
    assert 6 == len(alive)
    assert moved in alive


def test_preferences_weigh_more_than_even_shares() -> None:
    """Half of the tasks in each zone, though one zone has a single node."""
    over = Placement(
        Preferences=[PlacementPreference(Spread=SpreadOver(SpreadDescriptor="node.labels.zone"))]
    )
    mode = ServiceMode(Replicated=ReplicatedService(6))
    world = World(spec(mode, Placement=over), names="")
    world.is_rebalanced = True
    world.nodes["a"] = node("a", labels={"zone": "east"})
    world.settle()
    world.nodes["b"] = node("b", labels={"zone": "west"})

    world.settle()

    assert {"a": 6} == shares(world)
