"""Specs of services in the form in which they are kept, and as they act where they say nothing."""

from __future__ import annotations

from msgspec.structs import replace

from api.types.cluster_networks import EndpointSpec, PortConfig, PublishMode, ResolutionMode
from api.types.container_spec import ContainerSpec, DNSConfig
from api.types.resources import Limit, ResourceObject, ResourceRequirements
from api.types.services import (
    FailureAction,
    ReplicatedJob,
    ReplicatedService,
    ServiceMode,
    ServiceSpec,
    UpdateConfig,
    UpdateOrder,
)
from api.types.tasks import Placement, RestartCondition, RestartPolicy, RuntimeType, TaskSpec

_S = 1_000_000_000
STOP_GRACE_PERIOD_NS = 10 * _S
RESTART_DELAY_NS = 5 * _S
MONITOR_NS = 5 * _S


def normal(spec: ServiceSpec) -> ServiceSpec:
    """Return the spec as it is kept: what has one meaning has one form, as Docker shows it.

    So two specs that mean the same are equal, and an update that changes nothing makes no tasks.
    """
    return replace(
        spec,
        TaskTemplate=_normal_task(spec.TaskTemplate),
        Mode=_normal_mode(spec.Mode),
        UpdateConfig=_normal_update(spec.UpdateConfig),
        RollbackConfig=_normal_update(spec.RollbackConfig),
        EndpointSpec=_normal_endpoint(spec.EndpointSpec),
    )


def with_defaults(spec: ServiceSpec) -> ServiceSpec:
    """Return the spec with the values that count where it says nothing (`insertDefaults`)."""
    is_job = spec.Mode.ReplicatedJob is not None or spec.Mode.GlobalJob is not None
    return replace(
        spec,
        TaskTemplate=_full_task(spec.TaskTemplate, is_job=is_job),
        UpdateConfig=None if is_job else _full_update(spec.UpdateConfig),
        RollbackConfig=None if is_job else _full_update(spec.RollbackConfig),
        EndpointSpec=_normal_endpoint(spec.EndpointSpec or EndpointSpec()),
    )


def _normal_task(task: TaskSpec) -> TaskSpec:
    container = task.ContainerSpec
    if container is not None:
        container = replace(container, Isolation=container.Isolation or "default")
    restart = task.RestartPolicy
    if restart is not None and not restart.Condition:
        restart = replace(restart, Condition=RestartCondition.ANY.value)
    return replace(
        task,
        ContainerSpec=container,
        RestartPolicy=restart,
        Runtime=task.Runtime or RuntimeType.CONTAINER.value,
    )


def _normal_mode(mode: ServiceMode) -> ServiceMode:
    if mode.Global is not None or mode.GlobalJob is not None:
        return mode
    if mode.ReplicatedJob is not None:
        at_once = mode.ReplicatedJob.MaxConcurrent
        at_once = 1 if at_once is None else at_once
        total = mode.ReplicatedJob.TotalCompletions
        total = at_once if total is None else total
        return ServiceMode(
            ReplicatedJob=ReplicatedJob(MaxConcurrent=at_once, TotalCompletions=total)
        )
    replicas = None if mode.Replicated is None else mode.Replicated.Replicas
    return ServiceMode(Replicated=ReplicatedService(Replicas=1 if replicas is None else replicas))


def _normal_update(config: UpdateConfig | None) -> UpdateConfig | None:
    if config is None:
        return None
    return replace(
        config,
        FailureAction=config.FailureAction or FailureAction.PAUSE.value,
        Order=config.Order or UpdateOrder.STOP_FIRST.value,
    )


def _normal_endpoint(spec: EndpointSpec | None) -> EndpointSpec | None:
    if spec is None:
        return None
    return EndpointSpec(
        Mode=spec.Mode or ResolutionMode.VIP.value,
        Ports=[_normal_port(port) for port in spec.Ports],
    )


def _normal_port(port: PortConfig) -> PortConfig:
    return replace(
        port,
        Protocol=port.Protocol or "tcp",
        PublishMode=port.PublishMode or PublishMode.INGRESS.value,
    )


def _full_task(task: TaskSpec, *, is_job: bool) -> TaskSpec:
    resources = task.Resources or ResourceRequirements()
    return replace(
        task,
        ContainerSpec=None if task.ContainerSpec is None else _full_container(task.ContainerSpec),
        Resources=replace(
            resources,
            Limits=resources.Limits or Limit(),
            Reservations=resources.Reservations or ResourceObject(),
        ),
        RestartPolicy=_full_restart(task.RestartPolicy or RestartPolicy(), is_job=is_job),
        Placement=task.Placement or Placement(),
    )


def _full_container(container: ContainerSpec) -> ContainerSpec:
    grace = container.StopGracePeriod
    return replace(
        container,
        StopGracePeriod=STOP_GRACE_PERIOD_NS if grace is None else grace,
        DNSConfig=container.DNSConfig or DNSConfig(),
    )


def _full_restart(policy: RestartPolicy, *, is_job: bool) -> RestartPolicy:
    usual = RestartCondition.ON_FAILURE if is_job else RestartCondition.ANY
    return replace(
        policy,
        Condition=policy.Condition or usual.value,
        Delay=RESTART_DELAY_NS if policy.Delay is None else policy.Delay,
        MaxAttempts=0 if policy.MaxAttempts is None else policy.MaxAttempts,
    )


def _full_update(config: UpdateConfig | None) -> UpdateConfig:
    if config is None:
        config = UpdateConfig(Parallelism=1)
    config = _normal_update(config) or config
    return replace(config, Monitor=config.Monitor or MONITOR_NS)
