"""What agents report of tasks: what is nonsense, what is news, and what becomes of the task."""

from __future__ import annotations

from msgspec.structs import replace

from api.errors import Forbidden, InvalidArgument
from api.types.tasks import TaskState, TaskStatus
from manager.core.objects.task import Task
from manager.core.objects.times import from_api_time, to_api_time

_OBSERVED = frozenset(
    {
        TaskState.ACCEPTED,
        TaskState.PREPARING,
        TaskState.READY,
        TaskState.STARTING,
        TaskState.RUNNING,
        TaskState.COMPLETE,
        TaskState.SHUTDOWN,
        TaskState.FAILED,
        TaskState.REJECTED,
    }
)
"""What an agent can see; the other states are the managers' own."""


class NotSeen(InvalidArgument):
    """No agent sees a task in this state."""

    def __init__(self, task_id: str, state: TaskState) -> None:
        super().__init__(f"task {task_id}: a node does not report the state {state.value!r}")


class ForeignTask(Forbidden):
    """A node tells of its own tasks only."""

    def __init__(self, task_id: str, node_id: str) -> None:
        super().__init__(f"task {task_id} is not assigned to node {node_id}")


def check_report(task_id: str, status: TaskStatus) -> None:
    """Refuse a state that no agent can have seen. Errors: NotSeen."""
    if status.State not in _OBSERVED:
        raise NotSeen(task_id, status.State)


def seen(task: Task, node_id: str, status: TaskStatus, now_ns: int) -> Task:
    """Return the task as its node reports it; the same object where that is no news.

    An observed state only moves forward: what is told late or twice changes nothing. Times are
    the node's, but never before what was seen last, and never in the future.
    Errors:  ForeignTask.
    """
    if task.node_id != node_id or task.status.State < TaskState.ASSIGNED:
        raise ForeignTask(task.id, node_id)
    before = task.status
    if status.State < before.State:
        return task
    if status.State > TaskState.RUNNING and status.State is before.State:
        return task
    moment_ns = min(from_api_time(status.Timestamp) or now_ns, now_ns)
    moment_ns = max(moment_ns, from_api_time(before.Timestamp))
    status = replace(status, Timestamp=to_api_time(moment_ns))
    if status == before:
        return task
    is_first_run = status.State is TaskState.RUNNING and not task.running_ns
    return replace(task, status=status, running_ns=now_ns if is_first_run else task.running_ns)
