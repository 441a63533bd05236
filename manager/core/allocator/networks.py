"""What a network is given when it is made: subnets, gateways, numbers of VXLANs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import ip_network

from msgspec.structs import replace

from api.addresses import first_address, free_subnet, overlaps
from api.cluster_errors import FailedPrecondition
from api.types.cluster_networks import ClusterIPAMConfig, IPAMOptions
from api.types.objects import Driver
from manager.core.allocator.vnis import OPTION, give_vnis, parse_vnis, state_with, vnis_of
from manager.core.objects.cluster import Cluster
from manager.core.objects.network import Network

OVERLAY = "overlay"
PORT = 4789
PORT_OPTION = "skep.overlay.port"
"""Where the tunnels' UDP port is another one: the driver's option with its number."""
INGRESS_SUBNET = "10.0.0.0/24"
# RFC 4193: a unique local range. Its bits are of the cluster's id, so that no two clusters meet.
_IPV6_BASE = "fd{0}:{1}:{2}::/48"
_IPV6_SIZE = 64


class SubnetOverlaps(FailedPrecondition):
    """A subnet that was asked for is in use by another network."""

    def __init__(self, subnet: str) -> None:
        super().__init__(
            f"invalid pool request: Pool overlaps with other one on this address space: {subnet}"
        )


def given(network: Network, others: Sequence[Network], cluster: Cluster) -> Network:
    """Return a new network with all that it needs; nothing where its driver needs nothing.

    Errors:  SubnetOverlaps, PoolsExhausted, VnisExhausted, VniTaken.
    """
    driver = network.spec.DriverConfiguration or Driver(Name=OVERLAY)
    if (driver.Name or OVERLAY) != OVERLAY:
        return replace(network, driver_state=driver, ipam=network.spec.IPAMOptions)
    configs = _configs(network, others, cluster)
    wanted = parse_vnis(driver.Options.get(OPTION, ""))
    vnis = give_vnis(len(configs), wanted, others, cluster.last_given.vni)
    extra = {PORT_OPTION: str(cluster.data_path_port)} if cluster.data_path_port != PORT else {}
    options = network.spec.IPAMOptions or IPAMOptions()
    ipam_driver = replace(options.Driver, Name=options.Driver.Name or "default")
    return replace(
        network,
        spec=replace(network.spec, IPv6Enabled=_has_ipv6(network)),
        driver_state=state_with(OVERLAY, {**driver.Options, **extra}, vnis),
        ipam=IPAMOptions(Driver=ipam_driver, Configs=configs),
    )


def noted(cluster: Cluster, network: Network) -> Cluster:
    """Return the cluster after a network was given what it has, of which it asked for some."""
    driver, ipam = network.spec.DriverConfiguration, network.spec.IPAMOptions
    asked_vnis = parse_vnis(driver.Options.get(OPTION, "")) if driver is not None else []
    asked = {str(ip_network(each.Subnet, strict=False)) for each in ipam.Configs} if ipam else set()
    last = cluster.last_given
    for vni in vnis_of(network):
        last = last if vni in asked_vnis else replace(last, vni=vni)
    for subnet in subnets_of([network]):
        if subnet not in asked:
            last = replace(last, **{f"subnet{ip_network(subnet).version}": subnet})
    return replace(cluster, last_given=last)


def subnets_of(networks: Iterable[Network]) -> list[str]:
    """Return the subnets that networks were given."""
    return [
        config.Subnet
        for network in networks
        if network.ipam is not None
        for config in network.ipam.Configs
        if config.Subnet
    ]


def _configs(
    network: Network, others: Sequence[Network], cluster: Cluster
) -> list[ClusterIPAMConfig]:
    used = subnets_of(others)
    configs = []
    options = network.spec.IPAMOptions
    for config in options.Configs if options is not None else []:
        subnet = str(ip_network(config.Subnet, strict=False))
        if overlaps(subnet, used):
            raise SubnetOverlaps(subnet)
        used.append(subnet)
        configs.append(_with_gateway(replace(config, Subnet=subnet)))
    versions = {ip_network(each.Subnet).version for each in configs}
    may_lack_ipv4 = network.spec.IPv6Enabled and versions and not network.spec.Ingress
    if 4 not in versions and not may_lack_ipv4:
        after = "" if network.spec.Ingress else cluster.last_given.subnet4
        configs.insert(0, _chosen(_pools4(network, cluster, used), used, after))
    if _has_ipv6(network) and 6 not in versions:
        after = cluster.last_given.subnet6
        configs.append(_chosen([(_ipv6_base(cluster), _IPV6_SIZE)], used, after))
    return configs


def _has_ipv6(network: Network) -> bool:
    """Tell whether the network has IPv6; the ingress one always: ports are reached over it."""
    return network.spec.IPv6Enabled or network.spec.Ingress


def _pools4(network: Network, cluster: Cluster, used: Sequence[str]) -> list[tuple[str, int]]:
    pools = [(pool, cluster.subnet_size) for pool in cluster.address_pools]
    if network.spec.Ingress and not overlaps(INGRESS_SUBNET, used):
        first = [
            (INGRESS_SUBNET, ip_network(INGRESS_SUBNET).prefixlen)
            for pool in cluster.address_pools
            if overlaps(INGRESS_SUBNET, [pool])
        ]
        return [*first[:1], *pools]
    return pools


def _chosen(pools: Sequence[tuple[str, int]], used: list[str], after: str) -> ClusterIPAMConfig:
    subnet = free_subnet(pools, used, after)
    used.append(subnet)
    return _with_gateway(ClusterIPAMConfig(Subnet=subnet))


def _with_gateway(config: ClusterIPAMConfig) -> ClusterIPAMConfig:
    return replace(config, Gateway=config.Gateway or first_address(config.Subnet))


def _ipv6_base(cluster: Cluster) -> str:
    digits = "".join(f"{ord(each) & 15:x}" for each in cluster.id)[:10].rjust(10, "0")
    return _IPV6_BASE.format(digits[:2], digits[2:6], digits[6:10])
