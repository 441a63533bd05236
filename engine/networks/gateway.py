"""Which of a container's networks leads to the outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from api.types.networks import EndpointSettings
from engine.networks.record import EndpointRecord, NetworkRecord

Pair = tuple[NetworkRecord, EndpointRecord]
# The endpoint with the default route of each family, 4 and 6; a family that has none is missing.
Gateways = Mapping[int, Pair]


def by_priority(pairs: Sequence[Pair]) -> list[Pair]:
    """Return the endpoints by rank: internal networks last, then by GwPriority, then by name."""
    return sorted(
        pairs, key=lambda pair: (pair[0].internal, -pair[1].settings.GwPriority, pair[0].name)
    )


def gateways(pairs: Sequence[Pair]) -> Gateways:
    """Return the endpoint that has the default route, for each family that can have one."""
    found: dict[int, Pair] = {}
    for network, endpoint in by_priority(pairs):
        if network.internal:
            continue
        if endpoint.settings.Gateway:
            found.setdefault(4, (network, endpoint))
        if endpoint.settings.IPv6Gateway:
            found.setdefault(6, (network, endpoint))
    return found


class Publishing(Struct, frozen=True):
    """Where ports are published to: the container's addresses, and how the network does it.

    `host_ip` is the network's own host address, "" for none; `routed` the families without
    translation.
    """

    settings: EndpointSettings = EndpointSettings()
    host_ip: str = ""
    routed: tuple[int, ...] = ()


def publishing(chosen: Gateways) -> Publishing:
    """Return where ports are published to.

    Only bridges publish: on other networks the container is reached under its own address.
    """
    settings, host_ip, routed = EndpointSettings(), "", []
    for family, (network, endpoint) in sorted(chosen.items(), reverse=True):
        if not network.bridge:
            continue
        its = endpoint.settings
        host_ip = network.host_ip
        routed += [family] if family in network.routed else []
        settings = EndpointSettings(
            EndpointID=its.EndpointID,
            IPAddress=its.IPAddress if family == 4 else settings.IPAddress,
            GlobalIPv6Address=its.GlobalIPv6Address if family == 6 else settings.GlobalIPv6Address,
        )
    return Publishing(settings, host_ip, tuple(routed))
