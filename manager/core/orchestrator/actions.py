"""What an orchestrator wants done to the store; the loop around it does it in one transaction."""

from __future__ import annotations

from msgspec import Struct

from api.types.services import UpdateStatus
from api.types.tasks import TaskState
from manager.core.objects.task import Task


class CreateTask(Struct, frozen=True):
    """A task is made."""

    task: Task


class SetDesired(Struct, frozen=True):
    """A task is to be in another state."""

    task_id: str
    state: TaskState


class RejectTask(Struct, frozen=True):
    """A task may not stay where it is: its observed state becomes REJECTED, with the reason."""

    task_id: str
    reason: str


class DeleteTask(Struct, frozen=True):
    """A task that is over is forgotten."""

    task_id: str


class DeleteService(Struct, frozen=True):
    """A removed service is forgotten: its last task has gone."""

    service_id: str


class SetUpdateStatus(Struct, frozen=True):
    """An update begins, ends, or is held up."""

    service_id: str
    status: UpdateStatus


class RollBack(Struct, frozen=True):
    """An update failed: the service has the spec from before again, with this status."""

    service_id: str
    status: UpdateStatus


Action = (
    CreateTask | SetDesired | RejectTask | DeleteTask | DeleteService | SetUpdateStatus | RollBack
)


class Plan(Struct, frozen=True):
    """What is due now, and when to look again though nothing changes; 0 for never."""

    actions: list[Action]
    wake_ns: int = 0
