"""Rolling updates: slots whose task is not what the service says are replaced, a few at a time.

Everything is read off the tasks: a slot is busy while its new task is on its way up, and cools
down for the policy's delay after; a task that ends within the monitored time of its start is a
failure. So an update goes on under another leader, and an update of a running update just has
other slots to replace. A rollback is an update to the spec from before, by its own policy.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from api.types.nodes import NodeAvailability
from api.types.services import FailureAction, UpdateState, UpdateStatus
from api.types.tasks import TaskState
from manager.core.objects.task import Task
from manager.core.objects.times import from_api_time, to_api_time
from manager.core.orchestrator.actions import RollBack, SetUpdateStatus
from manager.core.orchestrator.defaults import Update, update_policy
from manager.core.orchestrator.dirty import is_dirty
from manager.core.orchestrator.draft import Draft, SlotKey, slot_order
from manager.core.orchestrator.restart import is_finished

_PAUSED = (UpdateState.PAUSED, UpdateState.ROLLBACK_PAUSED)
_RUNNING = (UpdateState.UPDATING, UpdateState.ROLLBACK_STARTED)
_ENDED_BY_ITSELF = (TaskState.COMPLETE, TaskState.FAILED, TaskState.REJECTED)


def update(draft: Draft) -> None:
    """Take the update of a service a step further, or begin one, or end it."""
    status = draft.service.update_status
    slots = _slots(draft)
    _finish_swaps(draft, slots)
    dirty = [key for key, slot in slots.items() if slot.is_to_replace]
    if status is None or status.State not in (*_RUNNING, *_PAUSED):
        if not dirty:
            return
        status = _begin(draft)
    if status.State in _PAUSED:
        return
    is_rollback = status.State == UpdateState.ROLLBACK_STARTED
    policy = update_policy(draft.service.spec, is_rollback=is_rollback)
    progress = _progress(draft, slots, policy, from_api_time(status.StartedAt or ""))
    if _has_failed(draft, progress, len(dirty), policy, status):
        return
    if dirty:
        _replace_some(draft, slots, dirty, progress, policy)
    elif not progress.busy:
        _end(draft, progress, status)


class _Slot(Struct, frozen=True):
    """A slot: tasks that are to run, apart; `last` is its newest task."""

    clean: list[Task]
    dirty: list[Task]
    last: Task
    is_to_replace: bool


class _Progress(Struct, frozen=True):
    """How far slots are: busy ones, those that cool down; failures; when the watch ends."""

    busy: int
    cooling: int
    failed: list[Task]
    touched: int
    watched_until_ns: int


def _slots(draft: Draft) -> dict[SlotKey, _Slot]:
    found = {}
    for key, tasks in draft.slots().items():
        if _is_on_hold(draft, key):
            continue
        runnable = [task for task in tasks if draft.is_runnable(task)]
        dirty = [task for task in runnable if _is_dirty(draft, task)]
        clean = [task for task in runnable if task not in dirty]
        last = tasks[-1]
        is_done = not runnable and is_finished(last, draft.now_ns)
        is_to_replace = bool(dirty and not clean) or (is_done and _is_dirty(draft, last))
        found[key] = _Slot(clean, dirty, last, is_to_replace)
    return found


def _is_on_hold(draft: Draft, key: SlotKey) -> bool:
    """Tell whether a slot is a paused node: its task stays, for it would get no other one."""
    node = draft.nodes.get(key) if isinstance(key, str) else None
    return node is not None and node.spec.Availability == NodeAvailability.PAUSE


def _is_dirty(draft: Draft, task: Task) -> bool:
    return is_dirty(draft.service, task, draft.nodes.get(task.node_id))


def _finish_swaps(draft: Draft, slots: dict[SlotKey, _Slot]) -> None:
    """Stop old tasks whose successor runs: started first, they overlapped."""
    for slot in slots.values():
        if any(task.status.State is TaskState.RUNNING for task in slot.clean):
            for task in slot.dirty:
                draft.set_desired(task, TaskState.SHUTDOWN)


def _begin(draft: Draft) -> UpdateStatus:
    status = UpdateStatus(
        State=UpdateState.UPDATING,
        StartedAt=to_api_time(draft.now_ns),
        Message="update in progress",
    )
    draft.act(SetUpdateStatus(draft.service.id, status))
    return status


def _progress(
    draft: Draft, slots: dict[SlotKey, _Slot], policy: Update, started_ns: int
) -> _Progress:
    busy = cooling = touched = 0
    watched_until_ns = 0
    failed = []
    for tasks in draft.slots().values():
        first = _first_of_update(draft, tasks, started_ns)
        if first is None:
            continue
        touched += 1
        up_ns = _up_ns(first)
        if first.status.State < TaskState.RUNNING:
            busy += 1
            continue
        if up_ns + policy.delay_ns > draft.now_ns:
            cooling += 1
            draft.wake(up_ns + policy.delay_ns)
        if _failed_early(first, policy):
            failed.append(first)
        elif first.status.State is TaskState.RUNNING:
            watched_until_ns = max(watched_until_ns, up_ns + policy.monitor_ns)
    return _Progress(busy, cooling, failed, touched, watched_until_ns)


def _first_of_update(draft: Draft, tasks: list[Task], started_ns: int) -> Task | None:
    """Return the task that the update put in a slot: restarts of it are not the update's."""
    version = draft.service.spec_version
    for task in tasks:
        is_ours = task.spec_version == version and task.attempt == 0
        is_of_update = is_ours and task.meta.created_ns >= started_ns
        if is_of_update and (draft.is_runnable(task) or _has_ended(task)):
            return task
    return None


def _has_ended(task: Task) -> bool:
    return task.status.State in _ENDED_BY_ITSELF


def _up_ns(task: Task) -> int:
    """Return when a task began to run, or ended without."""
    return task.running_ns or task.ended_ns


def _failed_early(task: Task, policy: Update) -> bool:
    if not _has_ended(task):
        return False
    return not task.running_ns or task.ended_ns - task.running_ns <= policy.monitor_ns


def _has_failed(
    draft: Draft, progress: _Progress, waiting: int, policy: Update, status: UpdateStatus
) -> bool:
    """Hold the update up, or roll it back, if too many of its tasks failed."""
    total = progress.touched + waiting
    ratio = len(progress.failed) / total if total else 0.0
    if ratio <= policy.max_failure_ratio or policy.action is FailureAction.CONTINUE:
        return False
    because = f"due to failure or early termination of task {progress.failed[-1].id}"
    service = draft.service
    is_rollback = status.State == UpdateState.ROLLBACK_STARTED
    if is_rollback:
        state, message = UpdateState.ROLLBACK_PAUSED, f"rollback paused {because}"
    elif policy.action is FailureAction.ROLLBACK and service.previous_spec is not None:
        back = replace(
            status,
            State=UpdateState.ROLLBACK_STARTED,
            StartedAt=to_api_time(draft.now_ns),
            Message=f"update rolled back {because}",
        )
        draft.act(RollBack(service.id, back))
        return True
    else:
        state, message = UpdateState.PAUSED, f"update paused {because}"
    draft.act(SetUpdateStatus(service.id, replace(status, State=state, Message=message)))
    return True


def _replace_some(
    draft: Draft,
    slots: dict[SlotKey, _Slot],
    dirty: list[SlotKey],
    progress: _Progress,
    policy: Update,
) -> None:
    """Replace as many slots as the policy allows at once, those that do not run first."""
    room = policy.parallelism - progress.busy - progress.cooling
    chosen = sorted(dirty, key=lambda key: (_runs(slots[key]), slot_order(key)))
    for key in chosen if not policy.parallelism else chosen[: max(room, 0)]:
        slot = slots[key]
        is_over = not slot.dirty
        if policy.is_start_first or is_over:
            state = draft.last_state
        else:
            state = TaskState.READY
            for task in slot.dirty:
                draft.set_desired(task, TaskState.SHUTDOWN)
        draft.create(
            state, slot=slot.last.slot, node_id="" if slot.last.slot else slot.last.node_id
        )


def _runs(slot: _Slot) -> bool:
    return any(task.status.State is TaskState.RUNNING for task in slot.dirty)


def _end(draft: Draft, progress: _Progress, status: UpdateStatus) -> None:
    """End an update whose last task has been watched long enough."""
    if draft.now_ns < progress.watched_until_ns:
        draft.wake(progress.watched_until_ns)
        return
    is_rollback = status.State == UpdateState.ROLLBACK_STARTED
    ended = replace(
        status,
        State=UpdateState.ROLLBACK_COMPLETED if is_rollback else UpdateState.COMPLETED,
        CompletedAt=to_api_time(draft.now_ns),
        Message="rollback completed" if is_rollback else "update completed",
    )
    draft.act(SetUpdateStatus(draft.service.id, ended))
