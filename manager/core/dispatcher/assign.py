"""What a node has to do, and what it needs for it: all of it first, then what changes.

A task is its node's from when it is assigned until it is forgotten: an ended one too, for its
container is kept as long as the task. Secrets and configs come with the first task that needs
them, and leave when the last one has ended.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TypeAlias

from msgspec import Struct

from api.types.assignments import AssignedConfig, AssignedNetwork, AssignedSecret, AssignedTask
from api.types.cluster_networks import ClusterNetwork, PortConfig
from api.types.tasks import TaskSpec, TaskState
from manager.core.cluster_network import find_network, network_to_api
from manager.core.objects.task import Task, TaskNetwork
from manager.core.store.command import Action
from manager.core.store.query import View

Item: TypeAlias = AssignedTask | AssignedSecret | AssignedConfig | ClusterNetwork
Key: TypeAlias = tuple[type[Item], str]
"""What is assigned: its kind and its id."""


class AssignmentChange(Struct, frozen=True):
    """What a node is told. What a task needs stands before the task."""

    items: list[Item]
    removed: list[Key]

    def __bool__(self) -> bool:
        return bool(self.items or self.removed)


class _Told(Struct, frozen=True, gc=False):
    """What counts of a task that a node was told of; the task as it was then is not kept."""

    desired_state: TaskState
    networks: list[TaskNetwork]
    ports: list[PortConfig]
    spec: TaskSpec
    is_over: bool


class NodeAssignments:
    """What one node was told so far."""

    def __init__(self, node_id: str) -> None:
        self._node_id = node_id
        self._told: dict[str, _Told] = {}
        self._uses: Counter[Key] = Counter()

    def all(self, view: View) -> AssignmentChange:
        """Return all that the node has to do; it was told nothing before."""
        assert not self._told, "what was told is told anew by a new one"
        tasks = view.tasks.by(node=self._node_id)
        return self.change((task.id for task in tasks), view)

    def change(self, task_ids: Iterable[str], view: View) -> AssignmentChange:
        """Return what is new for the node, where these tasks may have changed."""
        items: list[Item] = []
        removed: list[Key] = []
        used_before: dict[Key, int] = {}
        tasks = view.tasks
        for task_id in task_ids:
            old, task = self._told.get(task_id), self._own(tasks.get(task_id))
            new = _as_told(task) if task is not None else None
            self._count(old, -1, used_before)
            self._count(new, 1, used_before)
            if task is not None and new is not None:
                self._told[task_id] = new
                if old is None or _is_told_anew(old, new):
                    items.append(_assigned(task, _registry_auth(task, view)))
            elif old is not None:
                del self._told[task_id]
                removed.append((AssignedTask, task_id))
        needs = [key for key, count in used_before.items() if not count and self._uses[key]]
        dropped = [key for key, count in used_before.items() if count and not self._uses[key]]
        return AssignmentChange([*_found(needs, view), *items], [*removed, *dropped])

    def _own(self, task: Task | None) -> Task | None:
        """Return the task if the node has to know of it."""
        if task is None or task.node_id != self._node_id or not task.service_id:
            return None  # without a service it stands for a container that is there already
        return task if task.status.State >= TaskState.ASSIGNED else None

    def _count(self, told: _Told | None, by: int, used_before: dict[Key, int]) -> None:
        for key in _needs_of(told) if told is not None else ():
            used_before.setdefault(key, self._uses[key])
            self._uses[key] += by
            if not self._uses[key]:
                del self._uses[key]


def concerns_node(old: Task | None, new: Task, action: Action) -> bool:
    """Tell whether a node is told of this change: most are reports of the node itself."""
    if not new.node_id or new.status.State < TaskState.ASSIGNED:
        return False
    if action is Action.REMOVE or old is None or old.status.State < TaskState.ASSIGNED:
        return True
    if old.node_id != new.node_id:
        return True
    if (
        old.desired_state is new.desired_state
        and old.networks is new.networks
        and old.endpoint is new.endpoint
        and new.status.State <= TaskState.RUNNING
    ):
        return False
    before, after = _as_told(old), _as_told(new)
    if _is_told_anew(before, after):
        return True
    return after.is_over and not before.is_over and bool(_needs_of(before))


def _as_told(task: Task) -> _Told:
    return _Told(
        task.desired_state,
        task.networks,
        task.endpoint.Ports,
        task.spec,
        task.status.State > TaskState.RUNNING,
    )


def _needs_of(told: _Told) -> list[Key]:
    """Return what a node must have for a task, besides the task."""
    networks: list[Key] = [(ClusterNetwork, each.network_id) for each in told.networks]
    container = told.spec.ContainerSpec
    if container is None or told.is_over:
        return networks
    return [
        *networks,
        *((AssignedSecret, each.SecretID) for each in container.Secrets),
        *((AssignedConfig, each.ConfigID) for each in container.Configs),
    ]


def _is_told_anew(old: _Told, new: _Told) -> bool:
    """Tell whether a task changed in what its node does about it."""
    return (
        old.desired_state is not new.desired_state
        or (old.networks is not new.networks and old.networks != new.networks)
        or (old.ports is not new.ports and old.ports != new.ports)
    )


def _registry_auth(task: Task, view: View) -> str:
    """Return what the task's image is pulled with: that of the spec that it was made from."""
    service = view.services.get(task.service_id)
    if service is None:
        return ""
    is_previous = task.spec_version == service.previous_spec_version != service.spec_version
    return service.previous_registry_auth if is_previous else service.registry_auth


def _assigned(task: Task, registry_auth: str) -> AssignedTask:
    return AssignedTask(
        ID=task.id,
        ServiceID=task.service_id,
        ServiceName=task.service_name,
        ServiceLabels=task.service_labels,
        Slot=task.shown_slot,
        NodeID=task.node_id,
        Spec=task.spec,
        DesiredState=task.desired_state,
        Status=task.status,
        Networks=[
            AssignedNetwork(
                NetworkID=each.network_id,
                Addresses=each.addresses,
                Aliases=each.aliases,
                DriverOpts=each.driver_options,
            )
            for each in task.networks
        ],
        Ports=task.endpoint.Ports,
        LogDriver=task.log_driver,
        GenericResources=task.generic_resources,
        Volumes=task.volumes,
        JobIteration=task.job_iteration,
        RegistryAuth=registry_auth,
    )


def _found(keys: Iterable[Key], view: View) -> Iterable[Item]:
    """Return what the keys stand for; an object in use cannot be removed."""
    for kind, object_id in keys:
        item = _item(kind, object_id, view)
        if item is not None:
            yield item


def _item(kind: type[Item], object_id: str, view: View) -> Item | None:
    if kind is ClusterNetwork:
        network = find_network(view, object_id)
        return None if network is None else network_to_api(network)
    if kind is AssignedSecret:
        secret = view.secrets.get(object_id)
        return (
            None
            if secret is None
            else AssignedSecret(
                ID=secret.id,
                Name=secret.spec.Name,
                Data=secret.spec.Data,
                Templating=secret.spec.Templating,
            )
        )
    config = view.configs.get(object_id)
    return (
        None
        if config is None
        else AssignedConfig(
            ID=config.id,
            Name=config.spec.Name,
            Data=config.spec.Data,
            Templating=config.spec.Templating,
        )
    )
