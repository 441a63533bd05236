"""Who is on a network of the cluster, and behind which services, as nodes are told.

A task is a member of its networks from when it is assigned until it has ended; it is a target of
its service while it is healthy and is to run. So it is in the tables before it is given anything
to do, and still there when it is given nothing any more.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from api.types.cluster_networks import PortConfig, PublishMode
from api.types.tasks import UNHEALTHY, TaskState
from manager.core.allocator.vips import attachments_of, bare_by_network
from manager.core.ingress_labels import health_port, is_local_only
from manager.core.objects.network import Network
from manager.core.objects.node import Node
from manager.core.objects.service import Service
from manager.core.objects.task import Task, TaskNetwork
from manager.core.store.query import View


class Member(Struct, frozen=True, kw_only=True):
    """An endpoint on a network; addresses are bare, `node_address` is that of the tunnels."""

    id: str
    names: tuple[str, ...] = ()
    addresses: tuple[str, ...]
    node_id: str
    node_address: str


class Endpoint(Struct, frozen=True, kw_only=True):
    """A service on a network: names, virtual addresses, members with their weights."""

    id: str
    names: tuple[str, ...]
    addresses: tuple[str, ...] = ()
    targets: tuple[tuple[str, int], ...] = ()
    ports: tuple[PortConfig, ...] = ()
    is_local_only: bool = False
    health_port: int = 0


def is_member(task: Task) -> bool:
    """Tell whether a task is, or is about to be, on its networks."""
    return bool(task.node_id) and TaskState.ASSIGNED <= task.status.State <= TaskState.RUNNING


def is_target(task: Task) -> bool:
    """Tell whether a task may be given something to do."""
    return (
        is_member(task)
        and task.status.State is TaskState.RUNNING
        and task.status.Err != UNHEALTHY
        and task.desired_state <= TaskState.RUNNING
    )


def is_target_of(task: Task, service_id: str, network_id: str) -> bool:
    """Tell whether a task is a target of a service on a network."""
    is_on_it = any(each.network_id == network_id for each in task.networks)
    return is_on_it and task.service_id == service_id and is_target(task)


def member_of(view: View, network_id: str, member_id: str) -> Member | None:
    """Return a member of a network by the id of its task or node; None where it is none."""
    task = view.tasks.get(member_id)
    if task is not None:
        node = view.nodes.get(task.node_id)
        is_there = node is not None and is_member(task)
        names = names_of(task, network_id)
        return _member(task.id, names, task.networks, network_id, node) if is_there else None
    node = view.nodes.get(member_id)
    if node is None:
        return None
    return _member(node.id, (), node.networks, network_id, node)


def endpoint_of(view: View, network: Network, service_id: str) -> Endpoint | None:
    """Return a service as it is on a network; None where it is not there."""
    service = view.services.get(service_id)
    if service is None or service.is_removed:
        return None
    targets = tuple(
        (task.id, 1)
        for task in view.tasks.by(service=service_id)
        if is_target_of(task, service_id, network.id)
    )
    addresses = bare_by_network(service.endpoint.VirtualIPs).get(network.id, ())
    if not targets and not addresses:
        return None
    is_ingress = network.spec.Ingress
    return Endpoint(
        id=service.id,
        names=(service.spec.Name, *_aliases(service, network.id)),
        addresses=addresses,
        targets=targets,
        ports=tuple(_ingress_ports(service)) if is_ingress else (),
        is_local_only=is_local_only(service.spec),
        health_port=health_port(service.spec) if is_ingress else 0,
    )


def _member(
    member_id: str,
    names: tuple[str, ...],
    attachments: Iterable[TaskNetwork],
    network_id: str,
    node: Node | None,
) -> Member | None:
    addresses = tuple(
        address.partition("/")[0]
        for each in attachments
        if each.network_id == network_id
        for address in each.addresses
    )
    if not addresses or node is None:
        return None
    return Member(
        id=member_id,
        names=names,
        addresses=addresses,
        node_id=node.id,
        node_address=node.data_path_address,
    )


def names_of(task: Task, network_id: str) -> tuple[str, ...]:
    """Return a task's name; those of a container without a service came with its attachment."""
    if not task.service_id:
        return tuple(
            name for each in task.networks if each.network_id == network_id for name in each.aliases
        )
    return (f"{task.service_name}.{task.slot or task.node_id}.{task.id}",)


def _aliases(service: Service, network_id: str) -> Iterable[str]:
    return (
        alias
        for each in attachments_of(service.spec)
        if each.Target == network_id
        for alias in each.Aliases
    )


def _ingress_ports(service: Service) -> Iterable[PortConfig]:
    return (
        port
        for port in service.endpoint.Ports
        if port.PublishMode != PublishMode.HOST and port.PublishedPort
    )
