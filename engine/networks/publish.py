"""Find host ports for what a container publishes, and hold them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack

from msgspec.structs import replace

from api.errors import SkepError
from api.types.networks import EndpointSettings, PortBinding
from engine.core.bindings import (
    HostAddressMissing,
    NoFreePort,
    PortAllocated,
    PortInUse,
    Wanted,
    candidates,
    host_addresses,
)
from engine.core.firewall import WILDCARDS, Publication
from engine.networks.env import NetworksEnv
from engine.networks.gateway import Publishing


class PublishingFailed(SkepError):
    """A port could not be published; says which endpoint wanted it and why not."""

    def __init__(self, container_name: str, endpoint_id: str, reason: str) -> None:
        super().__init__(
            "driver failed programming external connectivity on endpoint "
            f"{container_name} ({endpoint_id}): {reason}"
        )


def reserve_ports(
    env: NetworksEnv, wanted: list[Wanted], place: Publishing, default_ip: str
) -> list[Publication]:
    """Hold a host port for each wish, and return what the firewall must publish; all or none.

    A wish for both families gets the same port in both; in a routed family the container's own
    port is opened instead.
    Errors:  PortAllocated, PortInUse, HostAddressMissing, NoFreePort.
    """
    with ExitStack() as undo:
        held = [each for wish in wanted for each in _opened(wish, place)]
        endpoint = _translated(place)
        for wish in wanted:
            fresh = _reserve(env, wish, endpoint, default_ip, held)
            undo.callback(release_ports, env, fresh)
            held += fresh
        undo.pop_all()
        return held


def _opened(wish: Wanted, place: Publishing) -> list[Publication]:
    addresses = {4: place.settings.IPAddress, 6: place.settings.GlobalIPv6Address}
    return [
        Publication(wish.protocol, "", 0, addresses[family], wish.port)
        for family in place.routed
        if addresses[family]
    ]


def _translated(place: Publishing) -> EndpointSettings:
    """Return the endpoint without the addresses of routed families."""
    settings = place.settings
    return replace(
        settings,
        IPAddress="" if 4 in place.routed else settings.IPAddress,
        GlobalIPv6Address="" if 6 in place.routed else settings.GlobalIPv6Address,
    )


def release_ports(env: NetworksEnv, publications: list[Publication]) -> None:
    """Let go of host ports; fine if they are not held."""
    for each in publications:
        env.reservations.release(each.protocol, each.host_ip, each.host_port)


def ports_shown(
    exposed: Mapping[str, object] | frozenset[str], publications: list[Publication]
) -> dict[str, list[PortBinding] | None]:
    """Return the ports as inspect shows them; null for those that are only exposed."""
    shown: dict[str, list[PortBinding] | None] = dict.fromkeys(sorted(exposed))
    for each in publications:
        key = f"{each.container_port}/{each.protocol}"
        shown[key] = [*(shown.get(key) or []), PortBinding(each.host_ip, str(each.host_port or ""))]
    return shown


def _reserve(
    env: NetworksEnv,
    wish: Wanted,
    endpoint: EndpointSettings,
    default_ip: str,
    held: list[Publication],
) -> list[Publication]:
    if not endpoint.IPAddress and not endpoint.GlobalIPv6Address:
        return []
    addresses = host_addresses(
        wish.host_ip,
        default_ip,
        ipv4=bool(endpoint.IPAddress),
        ipv6=bool(endpoint.GlobalIPv6Address),
    )
    ephemeral = env.reservations.ephemeral_range()
    has_choice = wish.first == 0 or wish.last > wish.first
    for port in candidates(wish, ephemeral, env.store.next_ephemeral(ephemeral)):
        try:
            return _hold(env, wish, port, addresses, endpoint, held)
        except (PortAllocated, PortInUse):
            if not has_choice:
                raise
    raise NoFreePort


def _hold(
    env: NetworksEnv,
    wish: Wanted,
    port: int,
    addresses: list[str],
    endpoint: EndpointSettings,
    held: list[Publication],
) -> list[Publication]:
    with ExitStack() as undo:
        publications: list[Publication] = []
        for host_ip in addresses:
            container_ip = endpoint.GlobalIPv6Address if ":" in host_ip else endpoint.IPAddress
            fresh = Publication(wish.protocol, host_ip, port, container_ip, wish.port)
            _refuse_conflict(env, fresh, held)
            try:
                env.reservations.reserve(wish.protocol, host_ip, port)
            except HostAddressMissing:
                # "Every address" means of the families that the host has.
                if host_ip == "::" and not wish.host_ip and publications:
                    continue
                raise
            undo.callback(release_ports, env, [fresh])
            publications.append(fresh)
        undo.pop_all()
        return publications


def _refuse_conflict(env: NetworksEnv, fresh: Publication, held: list[Publication]) -> None:
    others = [each for box in env.store.all_sandboxes() for each in box.publications]
    for other in (*others, *held):
        is_same_port = (other.protocol, other.host_port) == (fresh.protocol, fresh.host_port)
        if is_same_port and _share_address(other.host_ip, fresh.host_ip):
            raise PortAllocated(fresh.host_ip, fresh.host_port)


def _share_address(one: str, other: str) -> bool:
    if (":" in one) != (":" in other):
        return False
    return one == other or one in WILDCARDS or other in WILDCARDS
