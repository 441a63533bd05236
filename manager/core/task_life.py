"""A task's life: which state may follow which, and what the managers note when one does.

Managers want (the desired state), agents tell (the observed state); both only move forward, each
for itself. An agent may leave states out, for it reports in batches. An end is the end: what is
told of a task after it is no news.

    new -> pending -> assigned -> accepted -> preparing -> ready -> starting -> running
                          |            (any of them)                                |
                          +---------> complete shutdown failed rejected orphaned <--+
"""

from __future__ import annotations

from msgspec.structs import replace

from api.errors import InvalidArgument
from api.types.tasks import TaskState, TaskStatus
from manager.core.objects.task import Task

_S = TaskState
_ENDS = frozenset((_S.COMPLETE, _S.SHUTDOWN, _S.FAILED, _S.REJECTED, _S.ORPHANED))
_AT_WORK = (
    _S.ASSIGNED,
    _S.ACCEPTED,
    _S.PREPARING,
    _S.READY,
    _S.STARTING,
    _S.RUNNING,
)

NEXT: dict[TaskState, frozenset[TaskState]] = {
    _S.NEW: frozenset((_S.PENDING, _S.REJECTED)),
    _S.PENDING: frozenset((_S.ASSIGNED, _S.REJECTED)),
    **{state: frozenset(_AT_WORK[place + 1 :]) | _ENDS for place, state in enumerate(_AT_WORK)},
    **{state: frozenset() for state in (*_ENDS, _S.REMOVE)},
}
"""The states that may follow each: REMOVE is only ever wanted, never seen."""

TOLD_BY_AGENTS = frozenset((*_AT_WORK, *_ENDS)) - {_S.ORPHANED}


class ImpossibleStatus(InvalidArgument):
    """An agent tells a state that no task of an agent can be in."""

    def __init__(self, task_id: str, state: TaskState) -> None:
        super().__init__(f"task {task_id}: an agent cannot report the state {state.value}")


def check_report(task_id: str, status: TaskStatus) -> None:
    """Refuse what no agent may tell. Errors: ImpossibleStatus."""
    if status.State not in TOLD_BY_AGENTS:
        raise ImpossibleStatus(task_id, status.State)


def observe(task: Task, status: TaskStatus, now_ns: int) -> Task:
    """Return the task as it is seen now; the very same one if the status is no news.

    Units:   now_ns is the leader's time: when the task was first seen running, and ended.
    """
    before, after = task.status.State, status.State
    if after is before and before not in _ENDS:
        return task if status == task.status else replace(task, status=status)
    if after not in NEXT[before]:
        return task
    running_ns = now_ns if after is _S.RUNNING else task.running_ns
    ended_ns = now_ns if after in _ENDS else 0
    return replace(task, status=status, running_ns=running_ns, ended_ns=ended_ns)


def desire(task: Task, state: TaskState) -> Task:
    """Return the task with another state wanted; the same one if more is wanted already."""
    return replace(task, desired_state=state) if task.desired_state < state else task


def is_over(state: TaskState) -> bool:
    """Tell whether a task has ended."""
    return state in _ENDS
