"""Orchestrators' actions, done to the store: in the transaction each is looked at once more."""

from __future__ import annotations

from typing import assert_never

from msgspec.structs import replace

from api.types.tasks import TaskState, TaskStatus
from manager.core.allocator.tasks import allocated
from manager.core.objects.task import Task
from manager.core.objects.times import to_api_time
from manager.core.orchestrator.actions import (
    Action,
    CreateTask,
    DeleteService,
    DeleteTask,
    RejectTask,
    RollBack,
    SetDesired,
    SetUpdateStatus,
)
from manager.core.store.transaction import Transaction

REJECTED = "task rejected by constraint enforcer"


def carry_out(tx: Transaction, action: Action) -> None:
    """Do what was planned a moment ago, as far as it still makes sense.

    A desired state never falls back; a task that is gone stays gone; a task that has ended is not
    rejected.
    """
    match action:
        case CreateTask(new):
            _create(tx, new)
        case SetDesired(task_id, state):
            found = tx.tasks.get(task_id)
            if found is not None and found.desired_state < state:
                tx.tasks.update(replace(found, desired_state=state))
        case RejectTask(task_id, reason):
            found = tx.tasks.get(task_id)
            if found is not None and found.status.State <= TaskState.RUNNING:
                tx.tasks.update(_rejected(found, reason, tx.now_ns))
        case DeleteTask(task_id):
            if task_id in tx.tasks:
                tx.tasks.remove(task_id)
        case _:
            _change_service(tx, action)


def _create(tx: Transaction, task: Task) -> None:
    """Make a task; where nothing has to be given to it first, it waits for a node at once."""
    service = tx.services.get(task.service_id)
    if service is not None:
        tx.tasks.create(allocated(task, service))


def _change_service(tx: Transaction, action: DeleteService | SetUpdateStatus | RollBack) -> None:
    service = tx.services.get(action.service_id)
    if service is None:
        return
    match action:
        case DeleteService():
            tx.services.remove(service.id)
        case SetUpdateStatus(_, status):
            tx.services.update(replace(service, update_status=status))
        case RollBack(_, status):
            assert service.previous_spec is not None, "what was planned for this spec still holds"
            tx.services.update(
                replace(
                    service,
                    spec=service.previous_spec,
                    spec_version=service.previous_spec_version,
                    registry_auth=service.previous_registry_auth,
                    previous_spec=None,
                    update_status=status,
                )
            )
        case _:
            assert_never(action)


def _rejected(task: Task, reason: str, now_ns: int) -> Task:
    status = TaskStatus(
        Timestamp=to_api_time(now_ns),
        State=TaskState.REJECTED,
        Message=REJECTED,
        Err=reason,
        ContainerStatus=task.status.ContainerStatus,
    )
    return replace(task, status=status)
