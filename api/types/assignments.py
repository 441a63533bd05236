"""What managers hand to a node: its tasks, and the secrets and configs that these need.

These travel between managers and agents, not to clients; they are spelled as the API's types are,
from which they are made.
"""

from __future__ import annotations

from msgspec import Struct, field

from api.types.cluster_networks import PortConfig
from api.types.objects import Driver
from api.types.resources import GenericResource
from api.types.tasks import TaskSpec, TaskState, TaskStatus, VolumeAttachment


class AssignedNetwork(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A network that a task is attached to, and its addresses there in CIDR form."""

    NetworkID: str
    Addresses: list[str] = field(default_factory=list)
    Aliases: list[str] = field(default_factory=list)
    DriverOpts: dict[str, str] = field(default_factory=dict)


def _running() -> TaskState:
    return TaskState.RUNNING


class AssignedTask(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A task as its node sees it. Slot 0 is of a global service, whose slot is the node.

    Status is what the managers know: it counts where the node has forgotten the task.
    Ports are those that the service publishes, as they were allocated. RegistryAuth is what its
    image is pulled with, in the form of X-Registry-Auth; nodes do not keep it.
    """

    ID: str
    ServiceID: str = ""
    ServiceName: str = ""
    ServiceLabels: dict[str, str] = field(default_factory=dict)
    Slot: int = 0
    NodeID: str = ""
    Spec: TaskSpec = field(default_factory=TaskSpec)
    DesiredState: TaskState = field(default_factory=_running)
    Status: TaskStatus = field(default_factory=TaskStatus)
    Networks: list[AssignedNetwork] = field(default_factory=list)
    Ports: list[PortConfig] = field(default_factory=list)
    LogDriver: Driver | None = None
    GenericResources: list[GenericResource] = field(default_factory=list)
    Volumes: list[VolumeAttachment] = field(default_factory=list)
    JobIteration: int | None = None
    RegistryAuth: str = ""


class AssignedSecret(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A secret with what it holds; Templating says that placeholders are filled in."""

    ID: str
    Name: str = ""
    Data: bytes = b""
    Templating: Driver | None = None

    def __repr__(self) -> str:
        return f"AssignedSecret(ID={self.ID!r}, Name={self.Name!r})"


class AssignedConfig(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A config with what it holds; Templating says that placeholders are filled in."""

    ID: str
    Name: str = ""
    Data: bytes = b""
    Templating: Driver | None = None
