"""Make endpoints: the addresses, names and links that a container gets on a network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

import msgspec
from msgspec import UNSET

from api.addresses import AddressOutside, AddressTaken, Subnet, SubnetFull
from api.errors import InvalidArgument, Unavailable, Unsupported
from api.ids import new_id
from api.types.networks import EndpointIPAMConfig, EndpointSettings
from engine.core.sandbox import (
    OVERLAY_BRIDGE,
    host_link_name,
    mac_from,
    mac_of,
    mac_of_endpoint,
    parse_mac,
)
from engine.core.sysctls import endpoint_sysctls
from engine.networks.env import NetworksEnv
from engine.networks.gateway import Gateways
from engine.networks.names import DEFAULT_BRIDGE, dns_names
from engine.networks.record import EndpointRecord, NetworkRecord
from engine.ports.network import LinkOrder


class StaticAddressForbidden(InvalidArgument):
    """The default bridge gives addresses itself."""

    def __init__(self) -> None:
        super().__init__("user specified IP address is supported on user defined networks only")


class StaticAddressNeedsSubnet(InvalidArgument):
    """A subnet chosen by the engine may be another one tomorrow."""

    def __init__(self) -> None:
        super().__init__(
            "user specified IP address is supported only when connecting to networks "
            "with user configured subnets"
        )


class AliasesNeedNames(InvalidArgument):
    """The default bridge has no names."""

    def __init__(self) -> None:
        super().__init__("network-scoped aliases are only supported for user-defined networks")


class AddressMissing(Unavailable):
    """Addresses on networks of the cluster are the managers' to give."""

    def __init__(self, network: str) -> None:
        super().__init__(
            f"no address on the network {network}: the managers give none to this container"
        )


class MacFollowsAddress(Unsupported):
    """The other nodes know a container of an overlay network by the MAC that its address gives."""

    def __init__(self, network: str) -> None:
        super().__init__(
            f"the MAC address on the overlay network {network} follows from the IP address, since "
            "the other nodes find the container by it: leave the MAC address out (--mac-address)"
        )


@dataclass(frozen=True, slots=True)
class Guest:
    """The container that an endpoint is for."""

    container_id: str
    name: str
    hostname: str


async def make_endpoint(
    env: NetworksEnv, network: NetworkRecord, guest: Guest, name: str, asked: EndpointSettings
) -> EndpointRecord:
    """Return an endpoint with addresses of its own; `release_endpoint` gives them back.

    `name` is the interface's in the container.

    Waits for the addresses of sandboxes that are being closed, where it needs them.
    Errors:  StaticAddressForbidden, StaticAddressNeedsSubnet, AddressTaken, AddressOutside,
             SubnetFull, InvalidArgument, MacFollowsAddress.
    """
    while True:
        try:
            return _make(env, network, guest, name, asked)
        except (AddressTaken, SubnetFull):
            if not await env.store.next_freed():
                raise


def check_wishes(network: NetworkRecord, subnets: list[Subnet], asked: EndpointSettings) -> None:
    """Refuse what no start could give. Errors: those of `make_endpoint`, free or not aside."""
    if network.name == DEFAULT_BRIDGE and asked.Aliases:
        raise AliasesNeedNames
    if asked.MacAddress:
        parse_mac(asked.MacAddress)
    endpoint_sysctls(asked.DriverOpts or {}, network.prefix)
    wishes = asked.IPAMConfig or EndpointIPAMConfig()
    for version, wish in ((4, wishes.IPv4Address), (6, wishes.IPv6Address)):
        if not wish:
            continue
        _check_static(network, version)
        if not any(each.version == version and each.may_hold(wish) for each in subnets):
            raise AddressOutside(wish, ", ".join(str(each.network) for each in subnets))


def _check_static(network: NetworkRecord, version: int) -> None:
    if network.name == DEFAULT_BRIDGE:
        raise StaticAddressForbidden
    if not any(
        each.is_chosen_by_user and ip_network(each.subnet).version == version
        for each in network.subnets
    ):
        raise StaticAddressNeedsSubnet


def release_endpoint(env: NetworksEnv, endpoint: EndpointRecord) -> None:
    """Give an endpoint's addresses back; fine if they are free."""
    for subnet in env.store.subnets(endpoint.network_id):
        address = _address_of(endpoint.settings, subnet)
        if address:
            subnet.release(address)


def claim_endpoint(env: NetworksEnv, endpoint: EndpointRecord) -> None:
    """Take the addresses that an endpoint has already, after a restart. Errors: AddressTaken."""
    for subnet in env.store.subnets(endpoint.network_id):
        address = _address_of(endpoint.settings, subnet)
        if address:
            subnet.claim(address)


def link_order(
    env: NetworksEnv, network: NetworkRecord, endpoint: EndpointRecord, chosen: Gateways
) -> LinkOrder:
    """Return what the kernel needs for an endpoint, with the routes that lead over it."""
    settings = endpoint.settings
    addresses, gateways = [], []
    if settings.IPAddress:
        addresses.append(f"{settings.IPAddress}/{settings.IPPrefixLen}")
        gateways.append(settings.Gateway if _is_chosen(chosen, 4, endpoint) else "")
    if settings.GlobalIPv6Address:
        addresses.append(f"{settings.GlobalIPv6Address}/{settings.GlobalIPv6PrefixLen}")
        gateways.append(settings.IPv6Gateway if _is_chosen(chosen, 6, endpoint) else "")
    is_overlay = network.overlay is not None
    return LinkOrder(
        host_name=endpoint.link,
        bridge=OVERLAY_BRIDGE if is_overlay else network.bridge,
        name=endpoint.name,
        mac=settings.MacAddress,
        mtu=network.mtu,
        addresses=tuple(addresses),
        gateways=tuple(each for each in gateways if each),
        is_isolated=not network.icc,
        kind="veth" if network.bridge or is_overlay else network.driver,
        parent=network.parent,
        mode=network.mode,
        space=env.overlay.spaces.path(network.id) if is_overlay else "",
        near=_other_subnets(network, settings) if is_overlay else (),
        sysctls=endpoint_sysctls(settings.DriverOpts or {}, endpoint.name),
    )


def _other_subnets(network: NetworkRecord, settings: EndpointSettings) -> tuple[str, ...]:
    """Return the network's subnets that the endpoint has no address in: their members are near."""
    own = [each for each in (settings.IPAddress, settings.GlobalIPv6Address) if each]
    families = {ip_address(each).version for each in own}
    subnets = [ip_network(each.subnet) for each in network.subnets]
    return tuple(
        str(subnet)
        for subnet in subnets
        if subnet.version in families and not any(ip_address(each) in subnet for each in own)
    )


def _is_chosen(chosen: Gateways, family: int, endpoint: EndpointRecord) -> bool:
    return family in chosen and chosen[family][1].network_id == endpoint.network_id


def _make(
    env: NetworksEnv, network: NetworkRecord, guest: Guest, name: str, asked: EndpointSettings
) -> EndpointRecord:
    check_wishes(network, env.store.subnets(network.id), asked)
    wishes = asked.IPAMConfig or EndpointIPAMConfig()
    if network.overlay is not None and network.overlay.is_ingress and not env.links.has_ipv6():
        # It has both families everywhere, wanted or not.
        wishes = msgspec.structs.replace(wishes, IPv6Address=UNSET)
    if network.overlay is not None and not (wishes.IPv4Address or wishes.IPv6Address):
        raise AddressMissing(network.name)
    settings = msgspec.structs.replace(asked, NetworkID=network.id, EndpointID=new_id())
    taken: list[Callable[[], None]] = []
    try:
        for record, subnet in zip(network.subnets, env.store.subnets(network.id), strict=True):
            wish = wishes.IPv4Address if subnet.version == 4 else wishes.IPv6Address
            has_one = settings.IPAddress if subnet.version == 4 else settings.GlobalIPv6Address
            if has_one or (wish and not subnet.may_hold(wish)):
                continue
            if network.overlay is not None and not wish:
                continue  # the managers give addresses here
            address = subnet.claim(wish) if wish else subnet.allocate()
            taken.append(lambda subnet=subnet, address=address: subnet.release(address))  # type: ignore[misc]  # defaults bind the loop's values
            # An overlay network leads to its members alone, whatever its gateway's address is.
            gateway = record.gateway if network.overlay is None else ""
            settings = _with_address(settings, subnet, address, gateway)
        mac = _mac(network, settings, parse_mac(asked.MacAddress) if asked.MacAddress else "")
    except BaseException:
        for release in taken:
            release()
        raise
    names = dns_names(guest.container_id, guest.name, guest.hostname, asked.Aliases or [])
    settings = msgspec.structs.replace(
        settings,
        MacAddress="" if network.driver == "ipvlan" else mac,
        DNSNames=None if network.name == DEFAULT_BRIDGE else names,
    )
    has_link = network.bridge or network.overlay is not None
    link = host_link_name(guest.container_id, network.id) if has_link else ""
    return EndpointRecord(
        network_id=network.id, network_name=network.name, link=link, name=name, settings=settings
    )


def _with_address(
    settings: EndpointSettings, subnet: Subnet, address: str, gateway: str
) -> EndpointSettings:
    length = subnet.network.prefixlen
    if subnet.version == 4:
        return msgspec.structs.replace(
            settings, IPAddress=address, IPPrefixLen=length, Gateway=gateway
        )
    return msgspec.structs.replace(
        settings, GlobalIPv6Address=address, GlobalIPv6PrefixLen=length, IPv6Gateway=gateway
    )


def _mac(network: NetworkRecord, settings: EndpointSettings, wish: str) -> str:
    if network.overlay is not None:
        own = settings.IPAddress, settings.GlobalIPv6Address
        mac = mac_of_endpoint([each for each in own if each])
        if wish not in ("", mac):
            raise MacFollowsAddress(network.name)
        return mac
    if wish:
        return wish
    if settings.IPAddress:
        return mac_of(settings.IPAddress)
    return mac_from(bytes.fromhex(settings.EndpointID[:8]))


def _address_of(settings: EndpointSettings, subnet: Subnet) -> str:
    address = settings.IPAddress if subnet.version == 4 else settings.GlobalIPv6Address
    return address if address and subnet.holds(address) else ""
