"""Services as the API shows them."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from api.types.cluster_networks import EndpointSpec
from api.types.objects import ObjectVersion
from api.types.services import JobStatus, Service, ServiceStatus
from api.types.tasks import TaskState
from manager.core.objects.service import Service as StoredService
from manager.core.objects.task import Task
from manager.core.objects.times import to_api_time
from manager.core.service_spec import with_defaults


def to_api(
    service: StoredService, *, insert_defaults: bool = False, status: ServiceStatus | None = None
) -> Service:
    """Return a service; with the defaults that count where its spec says nothing, if wanted."""
    spec, endpoint = service.spec, service.endpoint
    if insert_defaults:
        spec = with_defaults(spec)
        endpoint = replace(endpoint, Spec=spec.EndpointSpec or EndpointSpec())
    job = service.job
    return Service(
        ID=service.id,
        Version=ObjectVersion(Index=service.meta.version_index),
        CreatedAt=to_api_time(service.meta.created_ns),
        UpdatedAt=to_api_time(service.meta.updated_ns),
        Spec=spec,
        PreviousSpec=service.previous_spec,
        Endpoint=endpoint,
        UpdateStatus=service.update_status,
        ServiceStatus=status,
        JobStatus=None
        if job is None
        else JobStatus(
            JobIteration=ObjectVersion(Index=job.iteration),
            LastExecution=to_api_time(job.started_ns),
        ),
    )


def _runs(task: Task) -> bool:
    """Tell whether a task runs and is to: what is left on a node that is down does not count."""
    is_wanted = task.desired_state <= TaskState.COMPLETE
    return is_wanted and task.status.State is TaskState.RUNNING


def status_of(service: StoredService, tasks: Iterable[Task]) -> ServiceStatus:
    """Return how many tasks run, are wanted, and are complete; of a job only those of this run."""
    mode = service.spec.Mode
    job = service.job
    counted = [task for task in tasks if job is None or task.job_iteration == job.iteration]
    running = sum(map(_runs, counted))
    complete = sum(task.status.State is TaskState.COMPLETE for task in counted)
    if mode.Replicated is not None:
        desired = mode.Replicated.Replicas or 0
    elif mode.ReplicatedJob is not None:
        desired = mode.ReplicatedJob.MaxConcurrent or 0
    else:
        wanted = {TaskState.RUNNING} if job is None else {TaskState.RUNNING, TaskState.COMPLETE}
        desired = sum(task.desired_state in wanted for task in counted)
    return ServiceStatus(
        RunningTasks=running, DesiredTasks=desired, CompletedTasks=0 if job is None else complete
    )
