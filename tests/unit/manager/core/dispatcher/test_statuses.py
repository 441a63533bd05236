"""What agents report: kept where it is news, refused where it is nonsense."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.types.tasks import TaskState, TaskStatus
from manager.core.dispatcher.statuses import ForeignTask, NotSeen, check_report, seen
from manager.core.objects.task import Task
from manager.core.objects.times import to_api_time

S = TaskState
NOW_NS = 1_700_000_000_000_000_000
OBSERVED = [S.ACCEPTED, S.PREPARING, S.READY, S.STARTING, S.RUNNING, S.COMPLETE, S.FAILED]


def task(state: TaskState = S.ASSIGNED, moment_ns: int = NOW_NS - 10**9) -> Task:
    return Task(
        id="t1", node_id="n1", status=TaskStatus(State=state, Timestamp=to_api_time(moment_ns))
    )


def status(state: TaskState, moment_ns: int = NOW_NS, message: str = "") -> TaskStatus:
    return TaskStatus(State=state, Timestamp=to_api_time(moment_ns), Message=message)


@given(st.lists(st.sampled_from(OBSERVED), max_size=8))
def test_observed_state_only_moves_forward(states: list[TaskState]) -> None:
    now, reached = task(), S.ASSIGNED

    for state in states:
        now = seen(now, "n1", status(state), NOW_NS)
        assert now.status.State >= reached
        reached = now.status.State


def test_report_told_twice_is_no_news() -> None:
    once = seen(task(), "n1", status(S.RUNNING), NOW_NS)

    assert once is seen(once, "n1", status(S.RUNNING), NOW_NS + 5)


def test_ended_task_ends_once() -> None:
    """The first word on how it ended stands: a late one may be of the agent's own clean-up."""
    failed = seen(task(S.RUNNING), "n1", status(S.FAILED, message="boom"), NOW_NS)

    assert failed is seen(failed, "n1", status(S.FAILED, message="other"), NOW_NS)
    assert failed is seen(failed, "n1", status(S.SHUTDOWN), NOW_NS)


def test_first_run_is_stamped_by_the_manager() -> None:
    """An update watches from then; agents' clocks may be anywhere."""
    running = seen(task(S.STARTING), "n1", status(S.RUNNING, NOW_NS - 3600 * 10**9), NOW_NS)
    again = seen(running, "n1", status(S.RUNNING, message="healthy"), NOW_NS + 7)

    assert (NOW_NS, NOW_NS) == (running.running_ns, again.running_ns)


def test_times_are_neither_in_the_future_nor_before_what_was_seen() -> None:
    ahead = seen(task(), "n1", status(S.RUNNING, NOW_NS + 10**12), NOW_NS)
    behind = seen(task(moment_ns=NOW_NS - 5), "n1", status(S.RUNNING, 1), NOW_NS)

    assert to_api_time(NOW_NS) == ahead.status.Timestamp
    assert to_api_time(NOW_NS - 5) == behind.status.Timestamp


def test_other_nodes_tasks_are_not_theirs_to_tell_of() -> None:
    with pytest.raises(ForeignTask):
        seen(task(), "n2", status(S.RUNNING), NOW_NS)
    with pytest.raises(ForeignTask):
        seen(task(S.PENDING), "n1", status(S.RUNNING), NOW_NS)


@pytest.mark.parametrize("state", [S.NEW, S.PENDING, S.ASSIGNED, S.REMOVE, S.ORPHANED])
def test_states_of_the_managers_are_refused(state: TaskState) -> None:
    with pytest.raises(NotSeen, match=state.value):
        check_report("t1", status(state))
