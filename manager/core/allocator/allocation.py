"""All that is given out, and to whom: ports, virtual addresses, addresses of tasks and nodes.

It can be read off the state at any time. What is planned counts as given; where the change that
was planned is never made, that comes free when the state is read again.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from api.cluster_errors import FailedPrecondition
from api.types.cluster_networks import Endpoint, NetworkAttachmentConfig
from api.types.tasks import TaskState
from manager.core.allocator.addresses import Addresses
from manager.core.allocator.node_local import NODE_LOCAL
from manager.core.allocator.ports import PublishedPorts
from manager.core.allocator.services import endpoint_of, is_allocated
from manager.core.allocator.vips import (
    attachments_of,
    has_virtual_addresses,
    is_on_ingress,
    networks_of,
    taken_by,
    virtual_addresses,
)
from manager.core.objects.network import Network
from manager.core.objects.node import Node
from manager.core.objects.service import Service
from manager.core.objects.task import Task, TaskNetwork
from manager.core.store.query import View


def has_alike(old: Task | None, task: Task) -> bool:
    """Tell whether a task that goes on has just what it had before it changed."""
    if old is None or old.networks is not task.networks:
        return False
    waiting, last = TaskState.NEW, TaskState.RUNNING.rank
    return (
        old.status.State.rank <= last
        and task.status.State.rank <= last
        and task.status.State is not waiting
    )


class IngressMissing(FailedPrecondition):
    """Ports are published on all nodes over the ingress network, which was removed."""

    def __init__(self) -> None:
        super().__init__("ingress network is missing")


class Allocation:
    """What is given out in a state; `note_*` tells of what changed since."""

    def __init__(self, view: View) -> None:
        present = [each for each in view.services if not each.is_removed]
        self.ports = PublishedPorts(present)
        self.addresses = Addresses(view.networks)
        self.ingress_id = ""
        for network in view.networks:
            self.note_network(network)
        for service in present:
            self.addresses.take(service.id, taken_by(service.endpoint.VirtualIPs))
        for task in view.tasks:
            self.note_task(task)
        for node in view.nodes:
            self.note_node(node)

    def note_network(self, network: Network, *, is_gone: bool = False) -> None:
        """Take in a network that is new, or gone."""
        if is_gone:
            self.addresses.drop(network.id)
        else:
            self.addresses.add(network)
        if network.spec.Ingress and (not is_gone or self.ingress_id == network.id):
            self.ingress_id = "" if is_gone else network.id

    def note_service(self, service: Service, *, is_gone: bool = False) -> None:
        """Take in a service as it is; a removed one gives back what it had."""
        if is_gone or service.is_removed:
            self.ports.release(service.id)
            self.addresses.release(service.id)
        else:
            self.ports.take(service, service.endpoint)
            self.addresses.take(service.id, taken_by(service.endpoint.VirtualIPs))

    def note_task(self, task: Task, *, is_gone: bool = False) -> None:
        """Take in a task; one that has ended gives its addresses back.

        An orphaned one keeps them: nobody saw its end.
        """
        if is_gone or TaskState.RUNNING < task.status.State < TaskState.ORPHANED:
            self.addresses.release(task.id)
        elif task.networks:
            given = {each.network_id: each.addresses for each in task.networks if each.addresses}
            self.addresses.take(task.id, given)

    def note_node(self, node: Node, *, is_gone: bool = False) -> None:
        """Take in a node; one that is gone gives its addresses back."""
        attachments = {} if is_gone else {each.network_id: each.addresses for each in node.networks}
        self.addresses.take(node.id, attachments)

    def is_complete(self, service: Service) -> bool:
        """Tell whether the service has all that its spec asks for."""
        if is_on_ingress(service.spec) and not self.ingress_id:
            return False
        return is_allocated(service) and has_virtual_addresses(service, self.ingress_id)

    def plan_service(self, service: Service) -> Endpoint:
        """Return how the service is reached, by its spec; it is given that from now on.

        Errors:  PortsExhausted, PortConflict, AddressesExhausted, NetworkGone, IngressMissing.
        """
        if is_on_ingress(service.spec) and not self.ingress_id:
            raise IngressMissing
        endpoint = endpoint_of(service, self.ports)
        virtual = virtual_addresses(service, self.ingress_id, self.addresses)
        self.ports.take(service, endpoint)
        self.addresses.take(service.id, taken_by(virtual))
        return replace(endpoint, VirtualIPs=virtual)

    def plan_task(self, task: Task, service: Service) -> list[TaskNetwork]:
        """Return a task's attachments, which it is given from now on.

        Errors:  AddressesExhausted, NetworkGone.
        """
        ingress = (
            [self.ingress_id]
            if self.ingress_id in networks_of(service.spec, self.ingress_id)
            else []
        )
        found = [
            TaskNetwork(network_id=each, addresses=self.addresses.give(task.id, each))
            for each in ingress
            if each
        ]
        named = task.spec.Networks or attachments_of(service.spec)
        return [*found, *(self._attachment(task, each) for each in named)]

    def plan_attachment(self, task: Task) -> list[TaskNetwork]:
        """Return the attachments of a container that is no service's task; given from now on.

        Errors:  AddressesExhausted, AddressTaken, NetworkGone.
        """
        spec = task.spec.NetworkAttachmentSpec
        addresses = spec.Addresses if spec is not None else ()
        return [self._attachment(task, each, addresses) for each in task.spec.Networks]

    def _attachment(
        self, task: Task, wanted: NetworkAttachmentConfig, addresses: Iterable[str] = ()
    ) -> TaskNetwork:
        is_local = wanted.Target in NODE_LOCAL
        return TaskNetwork(
            network_id=wanted.Target,
            addresses=[] if is_local else self.addresses.give(task.id, wanted.Target, addresses),
            aliases=wanted.Aliases,
            driver_options=wanted.DriverOpts,
        )

    def plan_node(self, node: Node) -> list[TaskNetwork]:
        """Return a node's own attachments: to the ingress network, if there is one.

        Errors:  AddressesExhausted.
        """
        if not self.ingress_id:
            self.addresses.release(node.id)
            return []
        given = self.addresses.give(node.id, self.ingress_id)
        return [TaskNetwork(network_id=self.ingress_id, addresses=given)]

    def is_node_complete(self, node: Node) -> bool:
        """Tell whether the node has an address on the ingress network, and on no former one."""
        own = {each.network_id for each in node.networks}
        return own == ({self.ingress_id} if self.ingress_id else set())
