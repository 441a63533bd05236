"""What sandboxes mean to the resolver: the names that they answer to, and what they may ask."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from api.ids import short_id
from engine.core.dns import Entry, View
from engine.networks.gateway import by_priority
from engine.networks.record import NetworkRecord, SandboxRecord

DEFAULT_BRIDGE = "bridge"


def dns_names(
    container_id: str, container_name: str, hostname: str, aliases: Iterable[str]
) -> list[str]:
    """Return the names of a container on a user-defined network, its own first, each once."""
    names = [container_name, *aliases, short_id(container_id), hostname]
    return list(dict.fromkeys(each for each in names if each))


def entries_of(record: SandboxRecord) -> dict[str, Entry]:
    """Return a sandbox's names and addresses, by network id; the default bridge has none."""
    return {
        each.network_id: Entry(
            names=tuple(each.settings.DNSNames),
            ipv4=each.settings.IPAddress,
            ipv6=each.settings.GlobalIPv6Address,
        )
        for each in record.endpoints
        if each.settings.DNSNames
    }


def view_of(record: SandboxRecord, networks: Mapping[str, NetworkRecord]) -> View:
    """Return what the container of a sandbox may ask."""
    pairs = [
        (networks[each.network_id], each)
        for each in record.endpoints
        if each.network_id in networks
        and each.network_name != DEFAULT_BRIDGE
        and not each.is_hidden
        and not _is_ingress(networks[each.network_id])
    ]
    links: dict[str, str] = {}
    for _, endpoint in pairs:
        for link in endpoint.settings.Links or []:
            target, _, alias = link.partition(":")
            links[(alias or target).lower()] = target.lower()
    return View(
        networks=tuple((network.id, network.name) for network, _ in by_priority(pairs)),
        subnets=tuple(subnet.subnet for network, _ in pairs for subnet in network.subnets),
        links=links,
        may_ask_outside=any(
            each.network_id in networks and not networks[each.network_id].internal
            for each in record.endpoints
        ),
    )


def _is_ingress(network: NetworkRecord) -> bool:
    """Tell whether a network is there for published ports alone, and has no names."""
    return network.overlay is not None and network.overlay.is_ingress
