"""Services: the spec, the one before, and how its tasks' endpoint and update stand."""

from __future__ import annotations

from msgspec import Struct, field

from api.types.cluster_networks import Endpoint
from api.types.services import ServiceSpec, UpdateStatus
from manager.core.objects.meta import StoredObject


class JobRun(Struct, frozen=True, gc=False, kw_only=True):
    """Which run of a job this is; tasks of earlier runs no longer count."""

    iteration: int = 0
    started_ns: int = 0


class Service(StoredObject, frozen=True, kw_only=True):
    """A service.

    spec_version tells specs of this service apart: each new spec gets one that no earlier one had
    (meta.version_index of the object that it replaced; not comparable between services). Tasks
    carry that of the spec that they were made from.
    registry_auth is what the image of the spec is pulled with, as X-Registry-Auth has it; it is not
    shown. endpoint is what the allocator gave. job is set for jobs. is_removed: the tasks are being
    stopped, and the service goes when the last one has gone.
    """

    spec: ServiceSpec = field(default_factory=ServiceSpec)
    spec_version: int = 0
    previous_spec: ServiceSpec | None = None
    registry_auth: str = ""
    previous_spec_version: int = 0
    previous_registry_auth: str = ""
    endpoint: Endpoint = field(default_factory=Endpoint)
    update_status: UpdateStatus | None = None
    job: JobRun | None = None
    is_removed: bool = False
