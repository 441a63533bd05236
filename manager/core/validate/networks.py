"""Specs of networks of the cluster."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from api.cluster_errors import InvalidSpec
from api.errors import Forbidden
from api.types.cluster_networks import ClusterIPAMConfig, IPAMOptions, NetworkSpec
from api.types.objects import Driver
from manager.core.allocator.vnis import LAST as LAST_VNI
from manager.core.allocator.vnis import OPTION as VNI_OPTION
from manager.core.allocator.vnis import parse_vnis
from manager.core.validate.names import check_dns_name
from manager.core.validate.storable import check_storable

INTERNAL_LABEL = "com.docker.swarm.internal"
NODE_LOCAL_DRIVERS = frozenset(("bridge", "host", "ipvlan", "macvlan"))
DRIVERS = frozenset(("overlay", *NODE_LOCAL_DRIVERS))

_MTU = "com.docker.network.driver.mtu"
_SMALLEST_MTU, _LARGEST_MTU = 68, 65535

_IPV4 = 4
# One address is the gateway's, and a network has two that are nobody's.
_TOO_SMALL = 2

Subnet = IPv4Network | IPv6Network


class InternalLabel(Forbidden):
    """A label that only the managers' own networks have."""

    def __init__(self) -> None:
        super().__init__(
            "rpc error: code = PermissionDenied desc = label com.docker.swarm.internal is for "
            "predefined internal networks and cannot be applied by users"
        )


def check_network_spec(spec: NetworkSpec) -> None:
    """Refuse a network that cannot be. Errors: InvalidSpec, InternalLabel."""
    check_dns_name(spec.Name)
    if INTERNAL_LABEL in spec.Labels:
        raise InternalLabel
    _check_driver(spec.DriverConfiguration)
    if spec.Ingress:
        _check_ingress(spec)
    if spec.IPAMOptions is not None:
        _check_addresses(spec.IPAMOptions)
        if spec.DriverConfiguration is None or spec.DriverConfiguration.Name.lower() == "overlay":
            for config in spec.IPAMOptions.Configs:
                _check_usable(config)
    check_storable(spec)


def _check_driver(driver: Driver | None) -> None:
    if driver is None:
        return
    if not driver.Name:
        raise InvalidSpec("driver name: if driver is specified name is required")
    if driver.Name.lower() not in DRIVERS:
        raise InvalidSpec(f"plugin {driver.Name} not supported")
    if driver.Name.lower() == "overlay":
        _check_vnis(driver.Options.get(VNI_OPTION, ""))
        _check_mtu(driver.Options.get(_MTU, ""))


def _check_vnis(text: str) -> None:
    vnis = parse_vnis(text)
    is_well = all(0 < each <= LAST_VNI for each in vnis) and len(vnis) == len(set(vnis))
    if text and not (vnis and is_well):
        raise InvalidSpec(f"invalid VXLAN ids {text!r}: expected numbers from 1 to {LAST_VNI}")


def _check_mtu(text: str) -> None:
    is_number = text.isascii() and text.isdecimal() and len(text) <= len(str(_LARGEST_MTU))
    if text and not (is_number and _SMALLEST_MTU <= int(text) <= _LARGEST_MTU):
        raise InvalidSpec(f"invalid value {text!r} of the option {_MTU}")


def _check_ingress(spec: NetworkSpec) -> None:
    if spec.Attachable:
        raise InvalidSpec("ingress network cannot be attachable")
    if spec.Internal:
        raise InvalidSpec("the ingress network cannot be internal")
    if spec.DriverConfiguration is not None and spec.DriverConfiguration.Name != "overlay":
        raise InvalidSpec("the ingress network must be of the overlay driver")


def _check_addresses(options: IPAMOptions) -> None:
    if options.Driver.Name.lower() not in ("", "default"):
        raise InvalidSpec(f"plugin {options.Driver.Name} not supported")
    for config in options.Configs:
        _check_pool(config)


def _check_pool(config: ClusterIPAMConfig) -> None:
    subnet = _subnet(config.Subnet)
    if subnet is None:
        raise InvalidSpec(f"ipam configuration: invalid subnet {config.Subnet}")
    if config.Range:
        inner = _subnet(config.Range)
        if inner is None:
            raise InvalidSpec(f"ipam configuration: invalid range {config.Range}")
        if inner[0] not in subnet:
            raise InvalidSpec(
                f"ipam configuration: subnet {config.Subnet} does not contain range {config.Range}"
            )
    if config.Gateway:
        _check_gateway(subnet, config)


def _check_gateway(subnet: Subnet, config: ClusterIPAMConfig) -> None:
    try:
        gateway = ip_address(config.Gateway)
    except ValueError as error:
        raise InvalidSpec(f"ipam configuration: invalid gateway {config.Gateway}") from error
    if gateway not in subnet:
        raise InvalidSpec(
            f"ipam configuration: subnet {config.Subnet} does not contain gateway {config.Gateway}"
        )


def _check_usable(config: ClusterIPAMConfig) -> None:
    """Refuse a subnet of which no container could be given an address."""
    subnet = _subnet(config.Subnet)
    if subnet is None:
        return
    if subnet.is_multicast or subnet.is_loopback or subnet.num_addresses <= _TOO_SMALL:
        raise InvalidSpec(f"ipam configuration: no available addresses in {config.Subnet}")
    ends = {str(subnet[0]), str(subnet[-1])} if subnet.version == _IPV4 else {str(subnet[0])}
    if config.Gateway and str(ip_address(config.Gateway)) in ends:
        raise InvalidSpec(
            f"ipam configuration: gateway {config.Gateway} stands for all of {config.Subnet}"
        )


def _subnet(text: str) -> Subnet | None:
    """Return a subnet written in CIDR form, None for other texts."""
    try:
        return ip_network(text, strict=False) if "/" in text else None
    except ValueError:
        return None
