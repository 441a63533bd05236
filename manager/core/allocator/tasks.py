"""What a task is given before it can wait for a node: its service's ports, networks, addresses."""

from __future__ import annotations

from msgspec.structs import replace

from api.types.tasks import TaskState, TaskStatus
from manager.core.allocator.node_local import NODE_LOCAL
from manager.core.allocator.services import is_allocated
from manager.core.allocator.vips import attachments_of, is_on_ingress
from manager.core.objects.service import Service
from manager.core.objects.task import Task, TaskNetwork

PENDING = "pending task scheduling"

_NO_NETWORKS: list[TaskNetwork] = []
"""Shared by all tasks on no network of the cluster; lists in objects are never changed."""


def allocated(task: Task, service: Service, attachments: list[TaskNetwork] | None = None) -> Task:
    """Return the task with all that it needs, pending; the task as it was while that is not there.

    The service must have what its spec asks for, and the task must be of that spec. None for the
    attachments is good where the service is on no network of the cluster: those to the nodes' own
    need no addresses.
    """
    if not is_allocated(service) or task.endpoint.Spec != service.endpoint.Spec:
        return task
    if attachments is None and needs_addresses(service):
        return task
    return replace(
        task,
        endpoint=service.endpoint,
        networks=_local(task) if attachments is None else attachments or _NO_NETWORKS,
        status=TaskStatus(
            Timestamp=task.status.Timestamp, State=TaskState.PENDING, Message=PENDING
        ),
    )


def needs_addresses(service: Service) -> bool:
    """Tell whether the service's tasks are on networks of the cluster."""
    named = (each.Target for each in attachments_of(service.spec))
    return is_on_ingress(service.spec) or any(each not in NODE_LOCAL for each in named)


def _local(task: Task) -> list[TaskNetwork]:
    wanted = [each for each in task.spec.Networks if each.Target in NODE_LOCAL]
    if not wanted:
        return _NO_NETWORKS
    return [
        TaskNetwork(network_id=each.Target, aliases=each.Aliases, driver_options=each.DriverOpts)
        for each in wanted
    ]
