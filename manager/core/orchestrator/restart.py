"""Restarts: an ended task is replaced as its policy says, a displaced one always.

A task is displaced when its node is down, drained or gone. The replacement is made at once, so
that it is placed and its image pulled, and waits in READY: for its policy's delay, and for the old
task to have stopped. All counts are in the tasks themselves.
"""

from __future__ import annotations

from api.types.tasks import RestartCondition, TaskState
from manager.core.backoff import Backoff
from manager.core.objects.task import Task
from manager.core.orchestrator.defaults import SECOND_NS, Restart, restart_policy
from manager.core.orchestrator.draft import Draft
from manager.core.orchestrator.move import is_pair
from manager.core.orchestrator.view import keeps_tasks, takes_tasks

STOP_TIMEOUT_NS = 60 * SECOND_NS
"""So long a replacement waits for a task that does not stop."""

REMEMBERED_RESTARTS = 1000
"""A policy with a window counts so many restarts; one that allows more has no bound."""

QUICK_NS = 10 * SECOND_NS
"""A task that ended sooner than so long after its start ended quickly."""

PATIENCE = 3
"""So many quick ends in a row are no reason to slow down."""

_SLOWLY = Backoff(first_s=0.1, limit_s=5.0)

_BY_ITSELF = (TaskState.COMPLETE, TaskState.FAILED, TaskState.REJECTED)


def restart_tasks(draft: Draft) -> None:
    """Replace tasks that have ended or lost their node, one by one in each slot."""
    for tasks in draft.slots().values():
        has_other = _moves(draft, tasks)
        for task in reversed(tasks):
            if not draft.is_runnable(task):
                continue
            if not _is_to_go(draft, task):
                has_other = True
                continue
            draft.set_desired(task, TaskState.SHUTDOWN)
            if not has_other:
                has_other = _replace(draft, task)


def _moves(draft: Draft, tasks: list[Task]) -> bool:
    """Tell whether a slot's task is being moved: it stays until its successor runs."""
    runnable = [task for task in tasks if draft.is_runnable(task)]
    return is_pair(draft, runnable) and not any(_is_to_go(draft, task) for task in runnable[:1])


def _is_to_go(draft: Draft, task: Task) -> bool:
    if task.status.State > TaskState.RUNNING:
        is_due = draft.service.job is None or task.status.State is not TaskState.COMPLETE
        return is_due and not _ended_before_its_time(draft, task)
    return _is_displaced(draft, task)


def _ended_before_its_time(draft: Draft, task: Task) -> bool:
    """Tell whether a task ended while it waited for its delay: what follows it waits that out too.

    Else a task that cannot even be prepared would be replaced without a pause, for ever.
    """
    if task.desired_state is not TaskState.READY or draft.now_ns >= task.start_ns:
        return False
    draft.wake(task.start_ns)
    return True


def _replace(draft: Draft, task: Task) -> bool:
    """Make another task in a task's place, if the policy wants one."""
    if task.status.State <= TaskState.RUNNING:
        _move(draft, task)
        return True
    if not may_restart(task, draft.now_ns) or not _has_place(draft, task):
        return False
    _restart(draft, task)
    return True


def start_waiting(draft: Draft) -> None:
    """Let tasks run that wait in READY, when their time has come and the old task has stopped."""
    for tasks in draft.slots().values():
        for task in tasks:
            if task.desired_state is not TaskState.READY or _waits(draft, task, tasks):
                continue
            draft.set_desired(task, draft.last_state)


def is_finished(task: Task, now_ns: int) -> bool:
    """Tell whether a slot's newest task ended by itself and, by its policy, for good."""
    return task.status.State in _BY_ITSELF and not may_restart(task, now_ns)


def may_restart(task: Task, now_ns: int) -> bool:
    """Tell whether the policy of an ended task lets another take its place."""
    policy = restart_policy(task.spec)
    if policy.condition is RestartCondition.NONE:
        return False
    has_completed = task.status.State is TaskState.COMPLETE
    if has_completed and (
        policy.condition is RestartCondition.ON_FAILURE or task.job_iteration is not None
    ):
        return False
    if not policy.max_attempts:
        return True
    return _attempts(task, policy, now_ns) < policy.max_attempts


def _attempts(task: Task, policy: Restart, now_ns: int) -> int:
    if not policy.window_ns:
        return task.attempt
    return sum(each > now_ns - policy.window_ns for each in task.restart_times_ns)


def _is_displaced(draft: Draft, task: Task) -> bool:
    """Tell whether a task must leave its node. A global service's tasks have no other."""
    return bool(task.slot and task.node_id) and not keeps_tasks(draft.nodes.get(task.node_id))


def _has_place(draft: Draft, task: Task) -> bool:
    """Tell whether another task may take the place: that of a global service is its node."""
    node = draft.nodes.get(task.node_id)
    return bool(task.slot) or (node is not None and takes_tasks(node))


def _restart(draft: Draft, task: Task) -> None:
    policy = restart_policy(task.spec)
    is_same = task.spec_version == draft.service.spec_version
    times = [*task.restart_times_ns, draft.now_ns][-REMEMBERED_RESTARTS:] if is_same else []
    quick_ends = task.quick_ends + 1 if is_same and _ended_quickly(task) else 0
    draft.create(
        TaskState.READY,
        slot=task.slot,
        node_id="" if task.slot else task.node_id,
        start_ns=draft.now_ns + max(policy.delay_ns, slow_down_ns(quick_ends)),
        attempt=task.attempt + 1 if is_same else 0,
        restart_times_ns=times if policy.window_ns else [],
        quick_ends=quick_ends,
    )


def slow_down_ns(quick_ends: int) -> int:
    """Return how long to wait at least after so many quick ends in a row.

    Only where users want a delay of less than the default does this count: what crashes at once
    would otherwise be made and lost as fast as the cluster can.
    """
    if quick_ends <= PATIENCE:
        return 0
    return int(_SLOWLY.delay_s(quick_ends - PATIENCE, chance=0) * SECOND_NS)


def _ended_quickly(task: Task) -> bool:
    return not task.running_ns or task.ended_ns - task.running_ns < QUICK_NS


def _move(draft: Draft, task: Task) -> None:
    """Make the task anew for another node: at once, and that is no attempt."""
    is_same = task.spec_version == draft.service.spec_version
    draft.create(
        TaskState.READY,
        slot=task.slot,
        attempt=task.attempt if is_same else 0,
        restart_times_ns=task.restart_times_ns if is_same else [],
        quick_ends=task.quick_ends if is_same else 0,
    )


def _waits(draft: Draft, task: Task, slot: list[Task]) -> bool:
    if draft.now_ns < task.start_ns:
        draft.wake(task.start_ns)
        return True
    if not any(map(draft.is_stopping, slot)):
        return False
    patience_ns = task.meta.created_ns + STOP_TIMEOUT_NS
    if draft.now_ns < patience_ns:
        draft.wake(patience_ns)
        return True
    return False
