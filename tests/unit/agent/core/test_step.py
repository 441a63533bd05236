"""What is done next with a task: the whole table."""

from __future__ import annotations

from itertools import product

import pytest

from agent.core.step import Call, Wish, failed, is_over, step, wish_of
from api.types.tasks import TaskState

GOOD_WAY = [
    (TaskState.ASSIGNED, Call.MARK),
    (TaskState.ACCEPTED, Call.MARK),
    (TaskState.PREPARING, Call.PREPARE),
    (TaskState.READY, Call.MARK),
    (TaskState.STARTING, Call.START),
    (TaskState.RUNNING, Call.WAIT),
]


def test_a_task_that_is_wanted_goes_all_the_way() -> None:
    state, way = TaskState.ASSIGNED, []
    while (todo := step(state, TaskState.RUNNING)) is not None:
        way.append((state, todo.call))
        state = todo.state

    assert GOOD_WAY == way
    assert TaskState.COMPLETE is state


def test_a_task_that_is_held_stops_when_it_is_ready() -> None:
    """A restart delay passes while its successor is ready to start."""
    state = TaskState.ASSIGNED
    while (todo := step(state, TaskState.READY)) is not None:
        state = todo.state

    assert TaskState.READY is state


@pytest.mark.parametrize("state", [each for each in TaskState if each < TaskState.COMPLETE])
@pytest.mark.parametrize("desired", [TaskState.SHUTDOWN, TaskState.REMOVE])
def test_a_task_that_is_not_wanted_is_shut_down_wherever_it_is(
    state: TaskState, desired: TaskState
) -> None:
    todo = step(state, desired)

    assert todo is not None
    assert (Call.SHUT_DOWN, TaskState.SHUTDOWN) == (todo.call, todo.state)


@pytest.mark.parametrize("state", [each for each in TaskState if each >= TaskState.COMPLETE])
@pytest.mark.parametrize("desired", list(TaskState))
def test_what_is_over_stays_over(state: TaskState, desired: TaskState) -> None:
    assert step(state, desired) is None
    assert is_over(state)


@pytest.mark.parametrize(("state", "desired"), list(product(TaskState, TaskState)))
def test_every_step_goes_forward(state: TaskState, desired: TaskState) -> None:
    """Managers refuse what falls back."""
    todo = step(state, desired)

    assert todo is None or todo.state > state
    assert failed(state) > state or is_over(state)


def test_a_failure_is_a_rejection_before_the_start() -> None:
    """`docker service ps` tells so whether it is the task or the program that is wrong."""
    assert TaskState.REJECTED is failed(TaskState.PREPARING)
    assert TaskState.FAILED is failed(TaskState.STARTING)
    assert TaskState.FAILED is failed(TaskState.RUNNING)


def test_jobs_run_until_they_complete() -> None:
    assert Wish.RUN is wish_of(TaskState.COMPLETE)
