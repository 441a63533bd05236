"""A task's states: what may follow what, and what is no news."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.types.tasks import TaskState, TaskStatus
from manager.core.objects.task import Task
from manager.core.task_life import (
    NEXT,
    TOLD_BY_AGENTS,
    ImpossibleStatus,
    check_report,
    desire,
    is_over,
    observe,
)

S = TaskState
STATES = st.sampled_from(sorted(TaskState))


def seen(state: TaskState, *, running_ns: int = 0, ended_ns: int = 0) -> Task:
    status = TaskStatus(State=state)
    return Task(id="t", status=status, running_ns=running_ns, ended_ns=ended_ns)


def test_every_state_has_its_row() -> None:
    assert set(TaskState) == set(NEXT)


def test_states_only_move_forward() -> None:
    assert all(before < after for before, row in NEXT.items() for after in row)


@pytest.mark.parametrize("state", [state for state in TaskState if is_over(state)])
def test_an_end_is_the_end(state: TaskState) -> None:
    assert not NEXT[state]


def test_an_agent_may_leave_states_out() -> None:
    task = observe(seen(S.ASSIGNED), TaskStatus(State=S.RUNNING), 7)

    assert (S.RUNNING, 7, 0) == (task.status.State, task.running_ns, task.ended_ns)


def test_the_leader_notes_when_a_task_runs_and_ends() -> None:
    """Agents' clocks may be anywhere."""
    running = observe(
        seen(S.STARTING), TaskStatus(State=S.RUNNING, Timestamp="1999-01-01T00:00:00Z"), 5
    )
    ended = observe(running, TaskStatus(State=S.FAILED, Timestamp="2099-01-01T00:00:00Z"), 9)

    assert (5, 9) == (ended.running_ns, ended.ended_ns)


def test_late_reports_are_no_news() -> None:
    running, failed = seen(S.RUNNING, running_ns=1), seen(S.FAILED, ended_ns=2)

    assert observe(running, TaskStatus(State=S.PREPARING), 9) is running
    assert observe(failed, TaskStatus(State=S.SHUTDOWN), 9) is failed
    assert observe(failed, TaskStatus(State=S.FAILED, Err="other"), 9) is failed


def test_more_may_be_told_of_the_same_state() -> None:
    told = observe(seen(S.PREPARING), TaskStatus(State=S.PREPARING, Message="pulling"), 9)

    assert "pulling" == told.status.Message


def test_the_same_told_twice_is_no_news() -> None:
    running = observe(seen(S.STARTING), TaskStatus(State=S.RUNNING), 5)

    assert observe(running, running.status, 9) is running


@pytest.mark.parametrize("state", [S.NEW, S.PENDING, S.REMOVE, S.ORPHANED])
def test_what_no_agent_may_tell_is_refused(state: TaskState) -> None:
    with pytest.raises(ImpossibleStatus, match=f"cannot report the state {state.value}"):
        check_report("t", TaskStatus(State=state))


def test_what_agents_may_tell_is_accepted() -> None:
    for state in TOLD_BY_AGENTS:
        check_report("t", TaskStatus(State=state))


@given(st.lists(STATES, max_size=12))
def test_whatever_is_told_the_task_never_goes_back(reports: list[TaskState]) -> None:
    task = seen(S.ASSIGNED)
    for moment, state in enumerate(reports, start=1):
        before = task.status.State
        task = observe(task, TaskStatus(State=state), moment)
        assert before <= task.status.State
        assert not (is_over(before) and task.status.State is not before)


@given(STATES, STATES)
def test_what_is_wanted_only_grows(first: TaskState, second: TaskState) -> None:
    task = desire(desire(seen(S.NEW), first), second)

    assert max(first, second) is task.desired_state
