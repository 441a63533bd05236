"""Specs of services: name, tasks, mode, updates, endpoint."""

from __future__ import annotations

from api.cluster_errors import InvalidSpec
from api.errors import InvalidArgument
from api.types.services import FailureAction, ServiceMode, ServiceSpec, UpdateConfig, UpdateOrder
from manager.core.ingress_labels import check_ingress_labels
from manager.core.validate.endpoints import check_endpoint_spec
from manager.core.validate.names import check_dns_name
from manager.core.validate.storable import check_storable
from manager.core.validate.tasks import check_task_spec

REPLICA_LIMIT = 100_000
"""Tasks of one service: what a cluster of 5,000 nodes was measured to place."""


def check_service_spec(spec: ServiceSpec) -> None:
    """Refuse a service that could never run. Errors: InvalidArgument, Unimplemented."""
    check_dns_name(spec.Name)
    check_task_spec(spec.TaskTemplate)
    _check_mode(spec.Mode)
    if spec.Mode.ReplicatedJob is not None or spec.Mode.GlobalJob is not None:
        if spec.UpdateConfig is not None:
            raise InvalidSpec("Jobs may not have an update config")
    else:
        _check_update(spec.UpdateConfig)
    _check_update(spec.RollbackConfig)
    check_endpoint_spec(spec.EndpointSpec)
    check_ingress_labels(spec)
    check_storable(spec)


def _check_mode(mode: ServiceMode) -> None:
    modes = (mode.Replicated, mode.Global, mode.ReplicatedJob, mode.GlobalJob)
    if sum(each is not None for each in modes) > 1:
        raise InvalidArgument("must specify only one service mode")
    if mode.Replicated is not None:
        _check_count("replicas", mode.Replicated.Replicas)
    if mode.ReplicatedJob is not None:
        _check_count("concurrent tasks", mode.ReplicatedJob.MaxConcurrent)
        _check_count("completions", mode.ReplicatedJob.TotalCompletions)


def _check_count(noun: str, count: int | None) -> None:
    if count is not None and count > REPLICA_LIMIT:
        raise InvalidSpec(f"Number of {noun} must be at most {REPLICA_LIMIT}, not {count}")


def _check_update(config: UpdateConfig | None) -> None:
    if config is None:
        return
    if config.FailureAction and config.FailureAction not in set(FailureAction):
        raise InvalidArgument(f"unrecognized update failure action {config.FailureAction}")
    if config.Order and config.Order not in set(UpdateOrder):
        raise InvalidArgument(f"unrecognized update order {config.Order}")
    if config.Delay < 0:
        raise InvalidSpec("TaskSpec: update-delay cannot be negative")
    if config.Monitor < 0:
        raise InvalidSpec("TaskSpec: update-monitor cannot be negative")
    if not 0 <= config.MaxFailureRatio <= 1:
        raise InvalidSpec("TaskSpec: update-maxfailureratio cannot be less than 0 or bigger than 1")
