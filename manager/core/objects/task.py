"""Tasks: one attempt each to run a service, in a slot or on a node."""

from __future__ import annotations

from sys import intern

from msgspec import Struct, field
from msgspec.structs import replace

from api.types.cluster_networks import Endpoint
from api.types.objects import Driver
from api.types.resources import GenericResource
from api.types.tasks import PortStatus, TaskSpec, TaskState, TaskStatus, VolumeAttachment
from manager.core.objects.meta import StoredObject


class TaskNetwork(Struct, frozen=True, kw_only=True, gc=False):
    """A network that the task is attached to, and its addresses there in CIDR form."""

    network_id: str
    addresses: list[str] = field(default_factory=list)
    aliases: list[str] = field(default_factory=list)
    driver_options: dict[str, str] = field(default_factory=dict)


_NO_PORTS = PortStatus()


def lean_status(status: TaskStatus) -> TaskStatus:
    """Return a status that shares with others what is alike in many: words, and that it is bare."""
    ports = status.PortStatus if status.PortStatus.Ports else _NO_PORTS
    message, error = intern(status.Message), intern(status.Err)
    return replace(status, Message=message, Err=error, PortStatus=ports)


class Task(StoredObject, frozen=True, kw_only=True):
    """A task. It never moves: another node means another task.

    spec is the service's TaskTemplate at the time (the same object in memory), spec_version the
    service's of then. slot counts from 1; 0 is a task of a global service, whose slot is its node.
    desired_state is what the managers want, status what the agent saw. service_name and
    service_labels are copies, so that a task outlives its service in words.
    start_ns: not before this moment may a task go on that waits in READY for its restart delay.
    service_id is "" for a container that is attached to a network of the cluster.
    attempt counts the restarts in the slot since the spec was new: 0 is the first task of it.
    restart_times_ns are the last of these restarts, for policies with a window. quick_ends counts
    the tasks before this one that ended soon after their start, one after another.
    running_ns and ended_ns are when the managers first saw it running, and ended; 0 before. Agents'
    clocks, which status shows, are not compared with ours: an update watches by these.
    """

    spec: TaskSpec = field(default_factory=TaskSpec)
    spec_version: int = 0
    service_id: str = ""
    service_name: str = ""
    service_labels: dict[str, str] = field(default_factory=dict)
    slot: int = 0
    node_id: str = ""
    desired_state: TaskState = TaskState.NEW
    status: TaskStatus = field(default_factory=TaskStatus)
    start_ns: int = 0
    networks: list[TaskNetwork] = field(default_factory=list)
    endpoint: Endpoint = field(default_factory=Endpoint)
    log_driver: Driver | None = None
    generic_resources: list[GenericResource] = field(default_factory=list)
    volumes: list[VolumeAttachment] = field(default_factory=list)
    job_iteration: int | None = None
    attempt: int = 0
    restart_times_ns: list[int] = field(default_factory=list)
    quick_ends: int = 0
    running_ns: int = 0
    ended_ns: int = 0

    @property
    def shown_slot(self) -> int:
        """The slot as clients and nodes see it: those of jobs count from 0, as the CLI expects."""
        return self.slot if self.job_iteration is None else max(self.slot - 1, 0)
