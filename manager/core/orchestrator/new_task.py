"""A new task of a service, as it is made."""

from __future__ import annotations

from api.types.cluster_networks import Endpoint, EndpointSpec
from api.types.tasks import TaskState, TaskStatus
from manager.core.objects.meta import Meta
from manager.core.objects.task import Task
from manager.core.objects.times import to_api_time
from manager.core.orchestrator.view import ServiceView

NO_ENDPOINT = EndpointSpec()


def new_task(
    view: ServiceView,
    task_id: str,
    now_ns: int,
    *,
    desired: TaskState,
    slot: int = 0,
    node_id: str = "",
) -> Task:
    """Return a task of the service as it is specified now; the allocator goes on with it."""
    service = view.service
    spec = service.spec
    return Task(
        id=task_id,
        meta=Meta(created_ns=now_ns, updated_ns=now_ns),
        spec=spec.TaskTemplate,
        spec_version=service.spec_version,
        service_id=service.id,
        service_name=spec.Name,
        service_labels=spec.Labels,
        slot=slot,
        node_id=node_id,
        desired_state=desired,
        status=TaskStatus(Timestamp=to_api_time(now_ns), State=TaskState.NEW, Message="created"),
        endpoint=Endpoint(Spec=spec.EndpointSpec or NO_ENDPOINT),
        log_driver=spec.TaskTemplate.LogDriver or view.log_driver,
        job_iteration=service.job.iteration if service.job is not None else None,
    )
