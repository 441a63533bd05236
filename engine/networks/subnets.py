"""The subnets of a new network: those asked for, and free ones where none was."""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from msgspec.structs import replace

from api.addresses import first_address, free_subnet, overlaps
from api.errors import Forbidden, InvalidArgument
from api.ids import new_id
from api.types.networks import IPAM, IPAMConfig, NetworkCreateRequest
from engine.networks.env import NetworksEnv
from engine.networks.record import SubnetRecord

_FAMILY = {4: "IPv4", 6: "IPv6"}


class PoolOverlaps(Forbidden):
    """A subnet that was asked for is in use by another network."""

    def __init__(self) -> None:
        super().__init__("invalid pool request: Pool overlaps with other one on this address space")


class BadPool(InvalidArgument):
    """A pool makes no sense."""

    def __init__(self, what: str, value: str, reason: str) -> None:
        super().__init__(f"invalid network config:\ninvalid {what} {value}: {reason}")


async def choose_subnets(
    env: NetworksEnv, wanted: NetworkCreateRequest, without_gateway: Collection[int] = ()
) -> list[SubnetRecord]:
    """Return the subnets of a network, IPv4 first.

    Families `without_gateway` keep no address for the host, unless one was asked for.
    Errors:  BadPool, PoolOverlaps, PoolsExhausted.
    """
    versions = {
        *([4] if wanted.EnableIPv4 is not False else []),
        *([6] if wanted.EnableIPv6 else []),
    }
    if not versions:
        raise InvalidArgument("IPv4 or IPv6 must be enabled")
    used = [each.subnet for network in env.store.all() for each in network.subnets]
    subnets = []
    asked: set[str] = set()
    for pool in (wanted.IPAM or IPAM()).Config or []:
        if not pool.Subnet:
            continue
        each = _from_config(pool, versions)
        if overlaps(each.subnet, used):
            raise PoolOverlaps
        used.append(each.subnet)
        asked |= {each.subnet} if pool.Gateway else set()
        subnets.append(each)
    host = await env.links.host_subnets()
    for version in versions:
        if not any(ip_network(each.subnet).version == version for each in subnets):
            subnets.append(_free(env, version, [*used, *host]))
    subnets = [
        replace(each, gateway="")
        if ip_network(each.subnet).version in without_gateway and each.subnet not in asked
        else each
        for each in subnets
    ]
    return sorted(subnets, key=lambda each: ip_network(each.subnet).version)


def _free(env: NetworksEnv, version: int, used: list[str]) -> SubnetRecord:
    pools = [
        (pool.base, pool.size)
        for pool in env.settings.current.address_pools
        if ip_network(pool.base).version == version
    ]
    if version == 6 and not pools:
        # A unique local range of this machine's own (RFC 4193), as no pool was configured.
        pools = [(f"fd{new_id()[:2]}:{new_id()[:4]}:{new_id()[:4]}::/48", 64)]
    subnet = free_subnet(pools, used)
    return SubnetRecord(subnet=subnet, gateway=first_address(subnet))


def _from_config(pool: IPAMConfig, versions: set[int]) -> SubnetRecord:
    network = _block("subnet", str(pool.Subnet))
    if network.version not in versions:
        family = _FAMILY[network.version]
        raise BadPool("subnet", str(network), f"{family} has not been enabled for this network")
    ip_range = ""
    if pool.IPRange:
        block = _block("ip-range", pool.IPRange)
        if block.version != network.version:
            family = _FAMILY[network.version]
            raise BadPool("ip-range", str(block), f"parent subnet is an {family} block")
        if block.network_address not in network or block.prefixlen < network.prefixlen:
            reason = f"parent subnet {network} doesn't contain ip-range"
            raise BadPool("ip-range", str(block), reason)
        ip_range = str(block)
    gateway = _address("gateway", pool.Gateway, network) if pool.Gateway else ""
    auxiliary = {
        key: _address("auxiliary address", value, network)
        for key, value in (pool.AuxiliaryAddresses or {}).items()
    }
    return SubnetRecord(
        subnet=str(network),
        gateway=gateway or _first_free(network, set(auxiliary.values())),
        ip_range=ip_range,
        auxiliary=auxiliary,
        is_chosen_by_user=True,
    )


def _first_free(network: IPv4Network | IPv6Network, taken: set[str]) -> str:
    first = int(ip_address(first_address(str(network))))
    candidates = (
        str(network.network_address + (number - int(network.network_address)))
        for number in range(first, first + len(taken) + 1)
    )
    return next(each for each in candidates if each not in taken)


def _block(what: str, text: str) -> IPv4Network | IPv6Network:
    try:
        network = ip_network(text, strict=False)
    except ValueError as error:
        raise BadPool(what, text, "invalid CIDR block notation") from error
    if "/" not in text:
        raise BadPool(what, text, "invalid CIDR block notation")
    if str(ip_address(text.split("/", maxsplit=1)[0])) != str(network.network_address):
        raise BadPool(what, text, f"it should be {network}")
    return network


def _address(what: str, text: str, network: IPv4Network | IPv6Network) -> str:
    try:
        address = ip_address(text)
    except ValueError as error:
        raise BadPool(what, text, "invalid address") from error
    if address.version != network.version:
        raise BadPool(what, text, f"parent subnet is an {_FAMILY[network.version]} block")
    if address not in network:
        raise BadPool(what, text, f"parent subnet {network} doesn't contain this address")
    return str(address)
