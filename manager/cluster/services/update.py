"""Change a service, or take a change back."""

from __future__ import annotations

from enum import StrEnum

from msgspec.structs import replace

from api.cluster_errors import ModeChange, NoPreviousSpec, OldNetworksChange, ServiceRename
from api.types.services import (
    ServiceMode,
    ServiceSpec,
    ServiceUpdateResponse,
    UpdateState,
    UpdateStatus,
)
from manager.cluster.env import ClusterEnv
from manager.cluster.services.references import bound, check_ports, check_references
from manager.cluster.services.refs import resolve_service
from manager.core.objects.service import JobRun, Service
from manager.core.objects.times import to_api_time
from manager.core.service_spec import normal
from manager.core.store.transaction import Transaction
from manager.core.validate.services import check_service_spec


class AuthSource(StrEnum):
    """Whose credentials an update keeps that brings none: `registryAuthFrom`."""

    SPEC = "spec"
    PREVIOUS = "previous-spec"


async def update_service(
    env: ClusterEnv,
    ref: str,
    version: int,
    spec: ServiceSpec,
    registry_auth: str | AuthSource = AuthSource.SPEC,
) -> ServiceUpdateResponse:
    """Replace a service's spec; the present one becomes the previous one.

    registry_auth: what nodes pull its image with, or whose they go on with.
    Errors:  NoSuchService, AmbiguousRef, StaleVersion, InvalidArgument; ServiceRename, ModeChange,
             OldNetworksChange; ReferencesMissing, PublishedPortTaken, NoSuchNetwork.
    """
    spec = normal(spec)
    check_service_spec(spec)

    def change(tx: Transaction) -> None:
        service = resolve_service(tx.services, ref)
        wanted = bound(tx, spec)
        _check_change(service.spec, wanted)
        check_references(tx, wanted)
        check_ports(tx, wanted, service.id)
        updated = replace(
            _updated(service, wanted, tx.now_ns),
            registry_auth=_registry_auth(service, registry_auth),
        )
        tx.services.update(updated, version=version)

    await env.store.update(change)
    return ServiceUpdateResponse()


async def roll_back_service(env: ClusterEnv, ref: str, version: int) -> ServiceUpdateResponse:
    """Put a service's previous spec in force again, and the present one in its place.

    Errors:  NoSuchService, AmbiguousRef, StaleVersion, NoPreviousSpec, PublishedPortTaken,
             ReferencesMissing.
    """

    def change(tx: Transaction) -> None:
        service = resolve_service(tx.services, ref)
        if service.previous_spec is None:
            raise NoPreviousSpec(service.id)
        check_references(tx, service.previous_spec)
        check_ports(tx, service.previous_spec, service.id)
        tx.services.update(_rolled_back(service, service.previous_spec, tx.now_ns), version=version)

    await env.store.update(change)
    return ServiceUpdateResponse()


def _registry_auth(service: Service, wanted: str | AuthSource) -> str:
    match wanted:
        case AuthSource.SPEC:
            return service.registry_auth
        case AuthSource.PREVIOUS if service.previous_spec is None:
            raise NoPreviousSpec(service.id)
        case AuthSource.PREVIOUS:
            return service.previous_registry_auth
        case _:
            return wanted


def _check_change(before: ServiceSpec, after: ServiceSpec) -> None:
    if before.Name != after.Name:
        raise ServiceRename
    if _kind(before.Mode) != _kind(after.Mode):
        raise ModeChange
    if before.Networks != after.Networks and after.Networks:
        raise OldNetworksChange


def _kind(mode: ServiceMode) -> tuple[bool, ...]:
    modes = (mode.Replicated, mode.Global, mode.ReplicatedJob, mode.GlobalJob)
    return tuple(each is not None for each in modes)


def _updated(service: Service, spec: ServiceSpec, now_ns: int) -> Service:
    return replace(
        service,
        spec=spec,
        spec_version=service.meta.version_index,
        previous_spec=service.spec,
        previous_spec_version=service.spec_version,
        previous_registry_auth=service.registry_auth,
        update_status=None,
        job=_next_run(service.job, now_ns),
    )


def _rolled_back(service: Service, previous: ServiceSpec, now_ns: int) -> Service:
    return replace(
        service,
        spec=previous,
        spec_version=service.previous_spec_version,
        registry_auth=service.previous_registry_auth,
        previous_spec=service.spec,
        previous_spec_version=service.spec_version,
        previous_registry_auth=service.registry_auth,
        update_status=UpdateStatus(
            State=UpdateState.ROLLBACK_STARTED.value,
            StartedAt=to_api_time(now_ns),
            Message="manually requested rollback",
        ),
        job=_next_run(service.job, now_ns),
    )


def _next_run(job: JobRun | None, now_ns: int) -> JobRun | None:
    """Return the run of a job that an update begins."""
    return None if job is None else JobRun(iteration=job.iteration + 1, started_ns=now_ns)
