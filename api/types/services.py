"""Services as the API spells them (Engine API 1.56)."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct, field

from api.types.cluster_networks import Endpoint, EndpointSpec, NetworkAttachmentConfig
from api.types.objects import ZERO_TIME, Annotations, ClusterObject, Natural, ObjectVersion
from api.types.tasks import TaskSpec


class FailureAction(StrEnum):
    """What an update does when too many of its tasks fail."""

    PAUSE = "pause"
    CONTINUE = "continue"
    ROLLBACK = "rollback"


class UpdateOrder(StrEnum):
    """Whether the old task goes first or the new one comes first."""

    STOP_FIRST = "stop-first"
    START_FIRST = "start-first"


class UpdateState(StrEnum):
    """How far an update is."""

    UPDATING = "updating"
    PAUSED = "paused"
    COMPLETED = "completed"
    ROLLBACK_STARTED = "rollback_started"
    ROLLBACK_PAUSED = "rollback_paused"
    ROLLBACK_COMPLETED = "rollback_completed"


class ReplicatedService(Struct, frozen=True, omit_defaults=True):
    """So many tasks anywhere; None is 1."""

    Replicas: Natural | None = None


class GlobalService(Struct, frozen=True):
    """One task on every node that fits."""


class ReplicatedJob(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """So many completions, so many at once; None is 1, and as many as at once."""

    MaxConcurrent: Natural | None = None
    TotalCompletions: Natural | None = None


class GlobalJob(Struct, frozen=True):
    """One completion on every node that fits."""


class ServiceMode(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How many tasks there are to be: one of these is set."""

    Replicated: ReplicatedService | None = None
    Global: GlobalService | None = None
    ReplicatedJob: ReplicatedJob | None = None
    GlobalJob: GlobalJob | None = None


class UpdateConfig(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How tasks are replaced in an update or a rollback; Parallelism 0 is all at once."""

    Parallelism: Natural = field(default_factory=int)
    Delay: int = 0
    FailureAction: str = ""
    Monitor: int = 0
    MaxFailureRatio: float = field(default_factory=float)
    Order: str = field(default_factory=str)


_UpdateConfig = UpdateConfig


class ServiceSpec(Annotations, frozen=True, kw_only=True, omit_defaults=True):
    """What users want of a service. Networks is the old place of TaskTemplate.Networks."""

    TaskTemplate: TaskSpec = field(default_factory=TaskSpec)
    Mode: ServiceMode = field(default_factory=ServiceMode)
    UpdateConfig: _UpdateConfig | None = None
    RollbackConfig: _UpdateConfig | None = None
    Networks: list[NetworkAttachmentConfig] = field(default_factory=list)
    EndpointSpec: EndpointSpec | None = None


class UpdateStatus(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The update that runs or ran last; State is an UpdateState."""

    State: str = ""
    StartedAt: str | None = None
    CompletedAt: str | None = None
    Message: str = ""


class ServiceStatus(Struct, frozen=True, kw_only=True):
    """Tasks counted, where a listing was asked for it."""

    RunningTasks: int = 0
    DesiredTasks: int = 0
    CompletedTasks: int = 0


class JobStatus(Struct, frozen=True, kw_only=True):
    """Which run of a job this is, and when it began."""

    JobIteration: ObjectVersion = ObjectVersion()
    LastExecution: str = ZERO_TIME


class Service(ClusterObject, frozen=True, kw_only=True, omit_defaults=True):
    """A service of the cluster."""

    Spec: ServiceSpec = field(default_factory=ServiceSpec)
    PreviousSpec: ServiceSpec | None = None
    Endpoint: Endpoint = field(default_factory=Endpoint)
    UpdateStatus: UpdateStatus | None = None
    ServiceStatus: ServiceStatus | None = None
    JobStatus: JobStatus | None = None


class ServiceCreateResponse(Struct, frozen=True):
    """What create answers."""

    ID: str
    Warnings: list[str] | None = None


class ServiceUpdateResponse(Struct, frozen=True):
    """What update answers."""

    Warnings: list[str] | None = None
