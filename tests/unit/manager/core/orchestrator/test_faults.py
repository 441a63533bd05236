"""Whatever happened: once the faults end, the service is what its spec says.

Hypothesis makes the stories: nodes die, drain and come back, tasks fail and finish, users scale,
update and change their mind, time passes, and a task may be doubled or lost behind our back.
"""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec.structs import replace

from api.types.services import ServiceMode, UpdateConfig
from api.types.tasks import RestartPolicy, TaskState
from manager.core.orchestrator.actions import RollBack
from manager.core.orchestrator.reconcile import reconcile
from tests.unit.manager.core.orchestrator.world import GLOBAL, World, replicas, spec

S = TaskState
NODES = st.sampled_from("abcd")
CONFIGS = st.builds(
    UpdateConfig,
    Parallelism=st.integers(0, 2),
    Delay=st.sampled_from([0, 10**9]),
    FailureAction=st.sampled_from(["pause", "continue", "rollback"]),
    Order=st.sampled_from(["stop-first", "start-first"]),
)
RESTART = RestartPolicy(Delay=10**9)


class Faults(RuleBasedStateMachine):
    """One service through everything that can happen to it."""

    def __init__(self) -> None:
        super().__init__()
        self.world: World
        self.image = "a"
        self.mode: ServiceMode
        self.order = ""

    @initialize(
        is_global=st.booleans(),
        number=st.integers(0, 4),
        config=CONFIGS,
        is_rebalanced=st.booleans(),
    )
    def create(
        self, *, is_global: bool, number: int, config: UpdateConfig, is_rebalanced: bool
    ) -> None:
        self.mode = GLOBAL if is_global else replicas(number)
        self.config = config
        self.world = World(self._spec(), names="abcd", history_limit=number % 3)
        self.world.is_rebalanced = is_rebalanced

    @rule(number=st.integers(0, 5))
    def scale(self, number: int) -> None:
        if self.mode is not GLOBAL:
            self.mode = replicas(number)
            self.world.update(self._spec())

    @rule(image=st.sampled_from("abc"), config=CONFIGS)
    def update(self, image: str, config: UpdateConfig) -> None:
        self.image, self.config = image, config
        self.world.update(self._spec())

    @rule(
        name=NODES,
        parts=st.sampled_from(
            [{"state": "down"}, {"availability": "drain"}, {"availability": "pause"}, {}]
        ),
    )
    def change_node(self, name: str, parts: dict[str, Any]) -> None:
        self.world.set_node(name, **parts)

    @rule(name=NODES)
    def remove_node(self, name: str) -> None:
        self.world.nodes.pop(name, None)

    @rule(rounds=st.integers(1, 8), steps=st.integers(0, 3))
    def go_on(self, rounds: int, steps: int) -> None:
        for _ in range(rounds):
            self.world.orchestrate()
            self.world.schedule()
            for _ in range(steps):
                for task_id in list(self.world.tasks):
                    self.world.work(task_id)

    @rule(data=st.data(), state=st.sampled_from([S.FAILED, S.COMPLETE, S.REJECTED]))
    def end_one(self, data: st.DataObject, state: TaskState) -> None:
        going = [
            task.id
            for task in self.world.tasks.values()
            if S.ASSIGNED <= task.status.State <= S.RUNNING
        ]
        if going:
            self.world.see(data.draw(st.sampled_from(sorted(going))), state)

    @rule(seconds=st.sampled_from([0.5, 1, 7, 100]))
    def pass_time(self, seconds: float) -> None:
        self.world.pass_time(seconds)

    @rule(data=st.data())
    def double_one(self, data: st.DataObject) -> None:
        if self.world.tasks:
            task = self.world.tasks[data.draw(st.sampled_from(sorted(self.world.tasks)))]
            self.world.tasks[f"x{task.id}"] = replace(task, id=f"x{task.id}")

    @rule(data=st.data())
    def lose_one(self, data: st.DataObject) -> None:
        if self.world.tasks:
            del self.world.tasks[data.draw(st.sampled_from(sorted(self.world.tasks)))]

    @rule()
    def reap(self) -> None:
        self.world.reap()

    @invariant()
    def reconciling_twice_does_nothing_the_second_time(self) -> None:
        if hasattr(self, "world"):
            if any(isinstance(action, RollBack) for action in self.world.orchestrate()):
                self.world.orchestrate()
            again = reconcile(self.world.view(), self.world.now_ns, lambda: "new")
            assert [] == again.actions

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        world = self.world
        for name in "abcd":
            world.set_node(name)
        world.settle()
        world.update(self._spec())
        world.settle()
        running = world.running(self.image)
        slots = {task.slot or task.node_id for task in running}
        wanted = self.mode.Replicated.Replicas if self.mode.Replicated else None
        assert (4 if wanted is None else wanted) == len(slots) == len(running)
        assert len(running) == len(
            [task for task in world.tasks.values() if task.status.State is S.RUNNING]
        )
        assert world.status in ("", "completed")

    def _spec(self) -> Any:
        return spec(self.mode, self.image, restart=RESTART, update=self.config)


TestFaults = Faults.TestCase
TestFaults.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
