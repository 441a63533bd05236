"""Create a service."""

from __future__ import annotations

from msgspec.structs import replace

from api.ids import new_object_id
from api.types.services import ServiceCreateResponse, ServiceSpec
from manager.cluster.env import ClusterEnv
from manager.cluster.services.references import bound, check_ports, check_references
from manager.core.objects.service import JobRun, Service
from manager.core.service_spec import normal
from manager.core.store.transaction import Transaction
from manager.core.validate.services import check_service_spec

_NAME_DIGITS = 10


async def create_service(
    env: ClusterEnv, spec: ServiceSpec, registry_auth: str = ""
) -> ServiceCreateResponse:
    """Make a service; its tasks follow. A service without a name is given one.

    registry_auth: what nodes pull its image with, as X-Registry-Auth has it.
    Errors:  InvalidArgument, ServiceExists, ReferencesMissing, PublishedPortTaken, NoSuchNetwork.
    """
    service_id = new_object_id()
    spec = normal(replace(spec, Name=spec.Name or f"service-{service_id[:_NAME_DIGITS]}"))
    check_service_spec(spec)

    def change(tx: Transaction) -> None:
        wanted = bound(tx, spec)
        check_references(tx, wanted)
        check_ports(tx, wanted, service_id)
        is_job = wanted.Mode.ReplicatedJob is not None or wanted.Mode.GlobalJob is not None
        job = JobRun(started_ns=tx.now_ns) if is_job else None
        tx.services.create(
            Service(id=service_id, spec=wanted, registry_auth=registry_auth, job=job)
        )

    await env.store.update(change)
    return ServiceCreateResponse(ID=service_id)
