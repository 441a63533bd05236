"""Tasks as the API spells them (Engine API 1.56)."""

from __future__ import annotations

from enum import Enum, StrEnum

from msgspec import Struct, field

from api.types.cluster_networks import NetworkAttachment, NetworkAttachmentConfig, PortConfig
from api.types.container_spec import ContainerSpec
from api.types.nodes import Platform
from api.types.objects import (
    ZERO_TIME,
    ClusterObject,
    Driver,
    Natural,
    ObjectVersion,
    no_labels,
    nothing,
)
from api.types.resources import GenericResource, ResourceRequirements


class TaskState(Enum):
    """A task's states, in the order that it goes through them: observed states only grow.

    The API's list has `allocated` too, an old name of `pending`, which no task is ever in.
    """

    NEW = "new"
    PENDING = "pending"
    ASSIGNED = "assigned"
    ACCEPTED = "accepted"
    PREPARING = "preparing"
    READY = "ready"
    STARTING = "starting"
    RUNNING = "running"
    COMPLETE = "complete"
    SHUTDOWN = "shutdown"
    FAILED = "failed"
    REJECTED = "rejected"
    REMOVE = "remove"
    ORPHANED = "orphaned"

    rank: int

    def __init__(self, _name: str) -> None:
        self.rank = len(type(self).__members__)

    def __lt__(self, other: TaskState) -> bool:
        return self.rank < other.rank

    def __le__(self, other: TaskState) -> bool:
        return self.rank <= other.rank

    def __gt__(self, other: TaskState) -> bool:
        return self.rank > other.rank

    def __ge__(self, other: TaskState) -> bool:
        return self.rank >= other.rank


class RestartCondition(StrEnum):
    """When an ended task is replaced."""

    NONE = "none"
    ON_FAILURE = "on-failure"
    ANY = "any"


class RuntimeType(StrEnum):
    """What a task runs: a container, a plugin, or the attachment of a container to a network."""

    CONTAINER = "container"
    PLUGIN = "plugin"
    ATTACHMENT = "attachment"


class RestartPolicy(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """When and how often an ended task is replaced; MaxAttempts 0 is without end, None default."""

    Condition: str = ""
    Delay: int | None = None
    MaxAttempts: Natural | None = None
    Window: int | None = None


class SpreadOver(Struct, frozen=True):
    """The label whose values tasks are spread over: node.labels.x or engine.labels.x."""

    SpreadDescriptor: str = ""


class PlacementPreference(Struct, frozen=True):
    """What the scheduler looks at first."""

    Spread: SpreadOver | None = None


class Placement(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where tasks may run; MaxReplicas is per node, 0 without limit."""

    Constraints: list[str] = field(default_factory=list)
    Preferences: list[PlacementPreference] = field(default_factory=list)
    MaxReplicas: Natural = 0
    Platforms: list[Platform] = field(default_factory=list)


class PluginPrivilegeSpec(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A right that a plugin is given. Go spells these small."""

    name: str = ""
    description: str = ""
    value: list[str] = field(default_factory=list)


class PluginSpec(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A plugin as a service. Go spells these small."""

    name: str = ""
    remote: str = ""
    privileges: list[PluginPrivilegeSpec] = field(default_factory=list)
    disabled: bool = False
    env: list[str] = field(default_factory=list)


class NetworkAttachmentSpec(Struct, frozen=True, omit_defaults=True):
    """A container that is no task and wants to be on a network of the cluster.

    It may ask for addresses, bare ones.
    """

    ContainerID: str = ""
    Addresses: list[str] = field(default_factory=list)


class TaskSpec(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What each task of a service is; Runtime says which of the first three counts."""

    ContainerSpec: ContainerSpec | None = None
    PluginSpec: PluginSpec | None = None
    NetworkAttachmentSpec: NetworkAttachmentSpec | None = None
    Resources: ResourceRequirements | None = None
    RestartPolicy: RestartPolicy | None = None
    Placement: Placement | None = None
    Networks: list[NetworkAttachmentConfig] = field(default_factory=list)
    LogDriver: Driver | None = None
    ForceUpdate: Natural = field(default_factory=int)
    Runtime: str = ""


class ContainerStatus(Struct, frozen=True, kw_only=True, gc=False):
    """The container of a task, as the agent saw it."""

    ContainerID: str = ""
    PID: int = 0
    ExitCode: int = 0


class PortStatus(Struct, frozen=True, omit_defaults=True, gc=False):
    """Ports that a task has on its host."""

    Ports: list[PortConfig] = field(default_factory=list)


def _new() -> TaskState:
    return TaskState.NEW


UNHEALTHY = "unhealthy container"
"""The error of a task that runs, but whose probe says that it does not work: it is to end."""


class TaskStatus(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What was seen of a task last; Err is of the failed step, Message of the last one."""

    Timestamp: str = field(default_factory=lambda: ZERO_TIME)
    State: TaskState = field(default_factory=_new)
    Message: str = ""
    Err: str = ""
    ContainerStatus: ContainerStatus | None = None
    PortStatus: PortStatus = field(default_factory=PortStatus)


class VolumeAttachment(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A volume of the cluster that stands for one of the task's mounts."""

    ID: str = ""
    Source: str = ""
    Target: str = ""


class Task(ClusterObject, frozen=True, kw_only=True, omit_defaults=True):
    """One attempt to run a service, in its slot or on its node."""

    Name: str = ""
    Labels: dict[str, str] = field(default_factory=no_labels)
    Spec: TaskSpec = field(default_factory=TaskSpec)
    ServiceID: str = ""
    Slot: int = 0
    NodeID: str = ""
    Status: TaskStatus = field(default_factory=TaskStatus)
    DesiredState: TaskState = field(default_factory=_new)
    NetworksAttachments: list[NetworkAttachment] = field(default_factory=list)
    GenericResources: list[GenericResource] = field(default_factory=list)
    JobIteration: ObjectVersion | None = None
    Volumes: list[VolumeAttachment] | None = field(default_factory=nothing)
