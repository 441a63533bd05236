"""What nodes are told of overlay networks: members, services and targets, as differences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from api.types.cluster_networks import ClusterNetwork
from manager.core.allocator.node_local import NODE_LOCAL
from manager.core.allocator.vips import networks_of
from manager.core.cluster_network import network_to_api
from manager.core.dispatcher.network_members import (
    Endpoint,
    Member,
    endpoint_of,
    is_member,
    is_target,
    is_target_of,
    member_of,
)
from manager.core.network_keys import is_encrypted, keys_of
from manager.core.objects.cluster import NetworkKey
from manager.core.objects.network import Network
from manager.core.objects.service import Service
from manager.core.objects.task import Task
from manager.core.store.query import View

T = TypeVar("T")


class TargetsChange(Struct, frozen=True, kw_only=True):
    """Members that became targets of a service, with their weights; and that are none any more."""

    service_id: str
    targets: tuple[tuple[str, int], ...] = ()
    removed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkChange:
    """What is new on a network; `network` is set where all of it is told.

    `targets` are of services that were told before, and are otherwise as they were.
    """

    network_id: str
    is_gone: bool = False
    network: ClusterNetwork | None = None
    members: tuple[Member, ...] = ()
    removed_members: tuple[str, ...] = ()
    services: tuple[Endpoint, ...] = ()
    removed_services: tuple[str, ...] = ()
    targets: tuple[TargetsChange, ...] = ()

    def __bool__(self) -> bool:
        return bool(
            self.is_gone
            or self.network is not None
            or self.members
            or self.removed_members
            or self.services
            or self.removed_services
            or self.targets
        )


@dataclass(slots=True)
class Touched:
    """What may be other than it was on a network: ids of members and of services.

    `targets` are members, by service: they may have become its targets, or be none any more.
    """

    members: set[str] = field(default_factory=set)
    services: set[str] = field(default_factory=set)
    targets: dict[str, set[str]] = field(default_factory=dict)

    def add(self, other: Touched) -> None:
        """Take in more."""
        self.members |= other.members
        self.services |= other.services
        for service_id, members in other.targets.items():
            self.targets.setdefault(service_id, set()).update(members)


@dataclass(slots=True)
class _Told:
    version: int
    is_encrypted: bool
    members: dict[str, Member] = field(default_factory=dict)
    services: dict[str, Endpoint] = field(default_factory=dict)  # without targets
    targets: dict[str, dict[str, int]] = field(default_factory=dict)


class NodeOverlays:
    """What one node was told so far; one that takes no targets alone is told services whole."""

    def __init__(self, node_id: str, *, takes_targets: bool = True) -> None:
        self._node_id = node_id
        self._takes_targets = takes_targets
        self._told: dict[str, _Told] = {}
        self._keys: tuple[NetworkKey, ...] | None = None

    def has(self, network_id: str) -> bool:
        """Tell whether the node was told of a network."""
        return network_id in self._told

    def change(self, touched: Mapping[str, Touched], view: View) -> list[NetworkChange]:
        """Return what is new for the node, where this may have changed."""
        networks = {
            network_id: network
            for network_id in networks_of_node(view, self._node_id)
            if (network := view.networks.get(network_id)) is not None
        }
        gone = [each for each in self._told if each not in networks]
        for network_id in gone:
            del self._told[network_id]
        changes = [NetworkChange(network_id=each, is_gone=True) for each in gone]
        for network in networks.values():
            changes.append(self._of_network(network, touched.get(network.id, Touched()), view))
        return [each for each in changes if each]

    def keys(self, view: View) -> tuple[NetworkKey, ...] | None:
        """Return the keys that the node has to have, None where it was told of these already.

        They are for nodes with an encrypted network alone. Call it after `change`.
        """
        needs = any(each.is_encrypted for each in self._told.values())
        keys = keys_of(next(iter(view.clusters), None)) if needs else ()
        if keys == self._keys:
            return None
        self._keys = keys
        return keys

    def _of_network(self, network: Network, touched: Touched, view: View) -> NetworkChange:
        told = self._told.get(network.id)
        is_new = told is None or told.version != network.meta.version_index
        if told is None or is_new:
            told = _Told(network.meta.version_index, is_encrypted(network))
            self._told[network.id] = told
            touched = all_of(network, view)
        members = _changed(
            told.members, {each: member_of(view, network.id, each) for each in touched.members}
        )
        services, targets = self._services(told, network, touched, view)
        return NetworkChange(
            network_id=network.id,
            network=network_to_api(network) if is_new else None,
            members=members[0],
            removed_members=members[1],
            services=services[0],
            removed_services=services[1],
            targets=targets,
        )

    def _services(
        self, told: _Told, network: Network, touched: Touched, view: View
    ) -> tuple[tuple[tuple[Endpoint, ...], tuple[str, ...]], tuple[TargetsChange, ...]]:
        """Return services that are other than told, those that are gone, and targets alone."""
        whole = set(touched.services)
        targets = []
        for service_id, ids in touched.targets.items():
            if service_id in whole or service_id not in told.services or not self._takes_targets:
                whole.add(service_id)
                continue
            change = _targets_of(told.targets[service_id], network, service_id, ids, view)
            if not told.targets[service_id] and not told.services[service_id].addresses:
                whole.add(service_id)  # without targets it is not there
            elif change.targets or change.removed:
                targets.append(change)
        now = {each: endpoint_of(view, network, each) for each in whole}
        return _changed_services(told, now), tuple(targets)


def _targets_of(
    told: dict[str, int], network: Network, service_id: str, ids: Iterable[str], view: View
) -> TargetsChange:
    """Take in which of these are targets now; return what is other than told."""
    fresh, gone = [], []
    for task_id in ids:
        task = view.tasks.get(task_id)
        weight = int(task is not None and is_target_of(task, service_id, network.id))
        if weight and told.get(task_id) != weight:
            told[task_id] = weight
            fresh.append((task_id, weight))
        elif not weight and told.pop(task_id, None) is not None:
            gone.append(task_id)
    return TargetsChange(service_id=service_id, targets=tuple(fresh), removed=tuple(gone))


def touched_by(old: Task | None, task: Task, *, is_gone: bool = False) -> dict[str, Touched]:
    """Return what a change of a task may change, by network; {} for one that nobody is told of.

    One that is gone is given as it was.
    """
    attachments = (*task.networks, *(old.networks if old else ()))
    networks = {each.network_id for each in attachments if each.network_id not in NODE_LOCAL}
    if not networks:
        return {}
    before, after = _of_interest(task if is_gone else old), _of_interest(None if is_gone else task)
    if before == after:
        return {}
    return {
        each: Touched({task.id}, targets={task.service_id: {task.id}} if task.service_id else {})
        for each in networks
    }


def touched_by_service(service: Service, ingress_id: str) -> dict[str, Touched]:
    """Return what a change of a service may change, by network."""
    networks = {each.NetworkID for each in service.endpoint.VirtualIPs}
    networks.update(networks_of(service.spec, ingress_id))
    return {each: Touched(services={service.id}) for each in networks}


def networks_of_node(view: View, node_id: str) -> list[str]:
    """Return the networks that a node has, those of its own first."""
    node = view.nodes.get(node_id)
    own = [each.network_id for each in node.networks] if node is not None else []
    of_tasks = (
        each.network_id
        for task in view.tasks.by(node=node_id)
        if is_member(task)
        for each in task.networks
        if each.network_id not in NODE_LOCAL
    )
    return list(dict.fromkeys([*own, *of_tasks]))


def all_of(network: Network, view: View) -> Touched:
    """Return all that there is on a network."""
    tasks = [each for each in view.tasks.by(network=network.id) if is_member(each)]
    members = {each.id for each in tasks}
    if network.spec.Ingress:
        members |= {each.id for each in view.nodes}
    services = {each.service_id for each in tasks if each.service_id}
    services |= {
        service.id
        for service in view.services
        if any(each.NetworkID == network.id for each in service.endpoint.VirtualIPs)
    }
    return Touched(members, services)


def _of_interest(task: Task | None) -> tuple[object, ...]:
    if task is None or not is_member(task):
        return ()
    return task.node_id, is_target(task), [each.addresses for each in task.networks]


def _changed_services(
    told: _Told, now: Mapping[str, Endpoint | None]
) -> tuple[tuple[Endpoint, ...], tuple[str, ...]]:
    """Take in how services are now; return those other than told whole, and those gone."""
    fresh, gone = [], []
    for service_id, service in now.items():
        if service is None:
            told.targets.pop(service_id, None)
            if told.services.pop(service_id, None) is not None:
                gone.append(service_id)
            continue
        bare, targets = replace(service, targets=()), dict(service.targets)
        if told.services.get(service_id) != bare or told.targets[service_id] != targets:
            told.services[service_id], told.targets[service_id] = bare, targets
            fresh.append(service)
    return tuple(fresh), tuple(gone)


def _changed(
    told: dict[str, T], now: Mapping[str, T | None]
) -> tuple[tuple[T, ...], tuple[str, ...]]:
    """Take in how things are now; return what is other than told, and what is gone."""
    fresh, gone = [], []
    for object_id, value in now.items():
        if value is None:
            if told.pop(object_id, None) is not None:
                gone.append(object_id)
        elif told.get(object_id) != value:
            told[object_id] = value
            fresh.append(value)
    return tuple(fresh), tuple(gone)
