"""What a service's spec refers to must be there, and what it publishes must be free."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from api.cluster_errors import PublishedPortTaken, ReferencesMissing
from api.errors import Forbidden
from api.node_networks import node_network
from api.types.cluster_networks import NetworkAttachmentConfig, PortConfig, PublishMode
from api.types.services import ServiceSpec
from manager.cluster.refs import resolve
from manager.core.ingress_labels import health_ports
from manager.core.objects.service import Service
from manager.core.store.tables import NETWORKS
from manager.core.store.transaction import Transaction
from manager.core.validate.networks import NODE_LOCAL_DRIVERS

_Port = tuple[str, int]


class LocalNetwork(Forbidden):
    """A network of one node, on which tasks of several cannot be."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The network {name} cannot be used with services. Only networks scoped to the swarm "
            "can be used, such as those created with the overlay driver."
        )


def bound(tx: Transaction, spec: ServiceSpec) -> ServiceSpec:
    """Return the spec with the ids of the networks that it names.

    Errors:  NoSuchNetwork, AmbiguousRef, LocalNetwork.
    """
    task = spec.TaskTemplate
    return replace(
        spec,
        Networks=_bound_networks(tx, spec.Networks),
        TaskTemplate=replace(task, Networks=_bound_networks(tx, task.Networks)),
    )


def check_references(tx: Transaction, spec: ServiceSpec) -> None:
    """Refuse a spec that names secrets or configs that are not there. Errors: ReferencesMissing."""
    container = spec.TaskTemplate.ContainerSpec
    if container is None:
        return
    if missing := [r.SecretName for r in container.Secrets if r.SecretID not in tx.secrets]:
        raise ReferencesMissing("secret", missing)
    if missing := [r.ConfigName for r in container.Configs if r.ConfigID not in tx.configs]:
        raise ReferencesMissing("config", missing)


def check_ports(tx: Transaction, spec: ServiceSpec, service_id: str) -> None:
    """Refuse ports that another service publishes on all nodes. Errors: PublishedPortTaken.

    Ports published on a task's own node alone may be shared: the scheduler keeps them apart.
    """
    ports = [] if spec.EndpointSpec is None else spec.EndpointSpec.Ports
    ports = [*ports, *health_ports(spec)]
    everywhere = {_key(port) for port in ports if port.PublishedPort and not _is_host(port)}
    on_hosts = {_key(port) for port in ports if port.PublishedPort and _is_host(port)}
    if not everywhere and not on_hosts:
        return
    for other in tx.services:
        if other.id != service_id and not other.is_removed:
            _check_against(other, everywhere, on_hosts)


def _check_against(other: Service, everywhere: set[_Port], on_hosts: set[_Port]) -> None:
    for port in _published(other):
        key = _key(port)
        if _is_host(port):
            if key in everywhere:
                raise PublishedPortTaken(
                    port.PublishedPort, other.spec.Name, other.id, "a host-published"
                )
        elif key in everywhere or key in on_hosts:
            raise PublishedPortTaken(port.PublishedPort, other.spec.Name, other.id, "an ingress")


def _published(service: Service) -> Iterable[PortConfig]:
    wanted = [] if service.spec.EndpointSpec is None else service.spec.EndpointSpec.Ports
    everything = (*wanted, *service.endpoint.Ports, *health_ports(service.spec))
    return (port for port in everything if port.PublishedPort)


def _key(port: PortConfig) -> _Port:
    return (port.Protocol or "tcp", port.PublishedPort)


def _is_host(port: PortConfig) -> bool:
    return port.PublishMode == PublishMode.HOST


def _bound_networks(
    tx: Transaction, wanted: list[NetworkAttachmentConfig]
) -> list[NetworkAttachmentConfig]:
    return [
        replace(each, Target=node_network(each.Target) or _network_id(tx, each.Target))
        for each in wanted
    ]


def _network_id(tx: Transaction, ref: str) -> str:
    network = resolve(NETWORKS, tx.networks, ref)
    driver = network.spec.DriverConfiguration
    if driver is not None and driver.Name in NODE_LOCAL_DRIVERS and network.spec.Scope == "local":
        raise LocalNetwork(network.spec.Name)
    return network.id
