"""The virtual addresses of services: one of each family on every network that a service is on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from api.types.cluster_networks import (
    EndpointSpec,
    EndpointVirtualIP,
    NetworkAttachmentConfig,
    PublishMode,
    ResolutionMode,
)
from api.types.services import ServiceSpec
from manager.core.allocator.addresses import Addresses, Attachments
from manager.core.allocator.node_local import NODE_LOCAL
from manager.core.objects.service import Service


def attachments_of(spec: ServiceSpec) -> list[NetworkAttachmentConfig]:
    """Return the networks that a service names, those of its tasks before its own old ones."""
    return spec.TaskTemplate.Networks or spec.Networks


def is_on_ingress(spec: ServiceSpec) -> bool:
    """Tell whether the service publishes a port on all nodes."""
    ports = spec.EndpointSpec.Ports if spec.EndpointSpec is not None else []
    return any(port.PublishMode != PublishMode.HOST for port in ports)


def networks_of(spec: ServiceSpec, ingress_id: str) -> list[str]:
    """Return the ids of the cluster's networks that a service is on, the ingress network first.

    `ingress_id` is "" where there is none.
    """
    named = [each.Target for each in attachments_of(spec) if each.Target not in NODE_LOCAL]
    first = [ingress_id] if ingress_id and is_on_ingress(spec) else []
    return list(dict.fromkeys([*first, *named]))


def has_virtual_addresses(service: Service, ingress_id: str) -> bool:
    """Tell whether the service has addresses on just the networks that it is to have them on."""
    present = {each.NetworkID for each in service.endpoint.VirtualIPs}
    return present == set(_wanted(service, ingress_id))


def virtual_addresses(
    service: Service, ingress_id: str, addresses: Addresses
) -> list[EndpointVirtualIP]:
    """Return the addresses; those that the service has stay. They are taken with it.

    Errors:  AddressesExhausted, NetworkGone.
    """
    return [
        EndpointVirtualIP(NetworkID=network_id, Addr=address)
        for network_id in _wanted(service, ingress_id)
        for address in addresses.give(service.id, network_id)
    ]


def taken_by(virtual: Iterable[EndpointVirtualIP]) -> Attachments:
    """Return virtual addresses by network."""
    found: dict[str, list[str]] = {}
    for each in virtual:
        found.setdefault(each.NetworkID, []).append(each.Addr)
    return found


def bare_by_network(virtual: Iterable[EndpointVirtualIP]) -> Mapping[str, tuple[str, ...]]:
    """Return virtual addresses by network, without the length of the subnet."""
    return {
        network_id: tuple(address.partition("/")[0] for address in found)
        for network_id, found in taken_by(virtual).items()
    }


def _wanted(service: Service, ingress_id: str) -> list[str]:
    endpoint = service.spec.EndpointSpec or EndpointSpec()
    if endpoint.Mode == ResolutionMode.DNSRR:
        return []
    return networks_of(service.spec, ingress_id)
