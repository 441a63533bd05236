"""Tasks that crash at once, again and again: under no policy a busy loop or a growing history."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from api.types.services import ServiceMode
from api.types.tasks import RestartPolicy, TaskState
from manager.core.objects.task import Task
from manager.core.orchestrator.actions import CreateTask
from manager.core.orchestrator.defaults import SECOND_NS
from manager.core.orchestrator.draft import SlotKey, slot_of
from tests.unit.manager.core.orchestrator.world import GLOBAL, World, replicas, spec

S = TaskState
DURATION_S = 60
# Within a minute: the few that are made at once, those of the growing pauses, and then one in
# five seconds, less the share that chance may take off.
MOST = 15 + DURATION_S // 4

POLICIES = st.builds(
    RestartPolicy,
    Condition=st.sampled_from(["any", "on-failure"]),
    Delay=st.sampled_from([0, 10**6, SECOND_NS, 7 * SECOND_NS]),
    MaxAttempts=st.sampled_from([0, 0, 1, 4]),
    Window=st.sampled_from([0, 0, 30 * SECOND_NS]),
)


class Crashes:
    """A world whose tasks all fail as soon as they start, and what was made in it by slot."""

    def __init__(self, mode: ServiceMode, policy: RestartPolicy, limit: int) -> None:
        self.world = World(spec(mode, restart=policy), history_limit=limit)
        self.world.fails = lambda _: True
        self.made: Counter[SlotKey] = Counter()
        self.looks = 0

    def go_on(self, duration_s: int) -> None:
        """Let everybody act whenever something is due; each round takes a moment."""
        end_ns = self.world.now_ns + duration_s * SECOND_NS
        while self.world.now_ns < end_ns:
            before = dict(self.world.tasks)
            for action in self.world.orchestrate():
                if isinstance(action, CreateTask):
                    self.made[slot_of(action.task)] += 1
            self.looks += 1
            self.world.schedule()
            for task_id in list(self.world.tasks):
                self.world.work(task_id)
            self.world.reap()
            self.world.pass_time(0.01)
            if before == self.world.tasks:
                if not self.world.wake_ns:
                    return
                self.world.now_ns = max(self.world.wake_ns, self.world.now_ns)

    def ended(self) -> Counter[SlotKey]:
        """Return how many ended tasks are remembered, by slot."""
        return Counter(map(slot_of, filter(_is_over, self.world.tasks.values())))


def _is_over(task: Task) -> bool:
    return task.status.State > S.RUNNING


@settings(max_examples=30, deadline=None)
@given(
    mode=st.one_of(st.just(GLOBAL), st.integers(1, 4).map(replicas)),
    policy=POLICIES,
    limit=st.integers(0, 4),
)
def test_what_always_crashes_is_tried_ever_less_often_and_leaves_a_bounded_history(
    mode: ServiceMode, policy: RestartPolicy, limit: int
) -> None:
    crashes = Crashes(mode, policy, limit)

    crashes.go_on(DURATION_S)

    assert crashes.made
    for slot, made in crashes.made.items():
        assert made <= MOST, slot
        if policy.MaxAttempts and not policy.Window:
            assert made == 1 + policy.MaxAttempts
    assert all(count <= limit + 2 for count in crashes.ended().values())
    assert len(crashes.world.tasks) <= len(crashes.made) * (limit + 3)
    # Nobody looks without something to do: some ten steps take a task through its life.
    assert crashes.looks <= 12 * sum(crashes.made.values()) + 20


def test_pauses_end_with_the_crashes() -> None:
    crashes = Crashes(replicas(2), RestartPolicy(Delay=0), 2)
    crashes.go_on(DURATION_S)

    crashes.world.fails = lambda _: False
    crashes.world.settle()

    assert [1, 2] == crashes.world.slots()
