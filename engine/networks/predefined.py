"""The networks that are always there: bridge, host and none."""

from __future__ import annotations

from ipaddress import ip_interface

import msgspec

from api.addresses import first_address, free_subnet, overlaps
from api.node_networks import NODE_NETWORKS
from engine.networks.env import NetworksEnv
from engine.networks.record import NetworkRecord, SubnetRecord

NAMES = frozenset(NODE_NETWORKS)
_DRIVERS = {"host": "host", "none": "null"}


async def ensure_predefined(env: NetworksEnv) -> None:
    """Write the three records, the bridge's as the settings have it now. Errors: Internal."""
    for name, driver in _DRIVERS.items():
        if env.store.find(name) is None:
            now = env.events.now_ns()
            network_id = NODE_NETWORKS[name]
            await env.store.put(
                NetworkRecord(id=network_id, name=name, driver=driver, created_ns=now)
            )
    known = env.store.find("bridge")
    fresh = await _default_bridge(env, known)
    if fresh != known:
        await env.store.put(fresh)


async def _default_bridge(env: NetworksEnv, known: NetworkRecord | None) -> NetworkRecord:
    settings = env.settings.current
    base = known or NetworkRecord(
        id=NODE_NETWORKS["bridge"],
        name="bridge",
        driver="bridge",
        created_ns=env.events.now_ns(),
    )
    subnets = [await _subnet4(env, known)]
    if settings.bip6:
        subnets.append(_from_bip(settings.bip6, ""))
    return msgspec.structs.replace(
        base,
        bridge=settings.bridge,
        subnets=subnets,
        ipv6=bool(settings.bip6),
        icc=settings.icc,
        masquerade=settings.ip_masq,
        mtu=settings.mtu,
        options={
            "com.docker.network.bridge.default_bridge": "true",
            "com.docker.network.bridge.enable_icc": str(settings.icc).lower(),
            "com.docker.network.bridge.enable_ip_masquerade": str(settings.ip_masq).lower(),
            "com.docker.network.bridge.host_binding_ipv4": settings.default_host_ip or "0.0.0.0",  # noqa: S104  (what inspect shows)
            "com.docker.network.bridge.name": settings.bridge,
            "com.docker.network.driver.mtu": str(settings.mtu),
        },
    )


async def _subnet4(env: NetworksEnv, known: NetworkRecord | None) -> SubnetRecord:
    """Return the bridge's subnet: bip, or what it had, or what the interface has, or a free one."""
    settings = env.settings.current
    if settings.bip:
        return _from_bip(settings.bip, settings.fixed_cidr)
    used = await env.links.host_subnets([settings.bridge])
    used += [
        each.subnet
        for network in env.store.all()
        if network.name != "bridge"
        for each in network.subnets
    ]
    if known and known.subnets and known.bridge == settings.bridge:
        before = known.subnets[0]
        is_tied = any(
            known.id == e.network_id for b in env.store.all_sandboxes() for e in b.endpoints
        )
        if is_tied or not overlaps(before.subnet, used):
            return msgspec.structs.replace(before, ip_range=settings.fixed_cidr)
    for address in await env.links.bridge_addresses(settings.bridge):
        if ip_interface(address).version == 4 and not overlaps(address, used):
            return _from_bip(address, settings.fixed_cidr)
    pools = [(pool.base, pool.size) for pool in settings.address_pools if ":" not in pool.base]
    subnet = free_subnet(pools, used)
    return SubnetRecord(subnet=subnet, gateway=first_address(subnet), ip_range=settings.fixed_cidr)


def _from_bip(bip: str, ip_range: str) -> SubnetRecord:
    interface = ip_interface(bip)
    return SubnetRecord(subnet=str(interface.network), gateway=str(interface.ip), ip_range=ip_range)
