"""Create a user-defined network: a bridge, or children of an interface of the host."""

from __future__ import annotations

import re
from contextlib import AsyncExitStack

from msgspec.structs import replace

from api.errors import Conflict, Forbidden, InvalidArgument
from api.ids import new_id
from api.types.networks import NetworkCreateRequest, NetworkCreateResponse
from engine.core.network_options import NoSuchNetworkDriver, parse_options
from engine.networks.bridge import bridge_order, network_rules
from engine.networks.env import NetworksEnv
from engine.networks.predefined import NAMES
from engine.networks.record import NetworkRecord
from engine.networks.subnets import choose_subnets

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")


class NetworkExists(Conflict):
    """Another network has the name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"network with name {name} already exists")


class PredefinedName(Forbidden):
    """bridge, host and none are made by the engine."""

    def __init__(self, name: str) -> None:
        super().__init__(f"operation is not permitted on predefined {name} network")


class BridgeTaken(Forbidden):
    """Another network has a bridge of this name."""

    def __init__(self, bridge: str, network: str) -> None:
        super().__init__(
            f"cannot create network ({bridge}): conflicts with network {network}: "
            "networks have same bridge name"
        )


class ParentTaken(Forbidden):
    """In passthru mode one network has the parent for itself."""

    def __init__(self, network: str, parent: str) -> None:
        super().__init__(f"network {network} is already using parent interface {parent}")


async def create(env: NetworksEnv, wanted: NetworkCreateRequest) -> NetworkCreateResponse:
    """Make a network: record, interfaces, firewall; all or nothing.

    Errors:  InvalidArgument, NetworkExists, PredefinedName, NoSuchNetworkDriver, BridgeTaken,
             ParentTaken, PoolOverlaps, PoolsExhausted, Internal.
    """
    _check(wanted)
    async with env.store.change, AsyncExitStack() as undo:
        if env.store.find(wanted.Name) is not None:
            raise NetworkExists(wanted.Name)
        record = await _record(env, wanted)
        _refuse_conflicts(env, record)
        undo.push_async_callback(env.store.drop, record)
        if record.bridge:
            await env.store.put(record)
            await _make_bridge(env, record, undo)
        else:
            record = await _make_parent(env, record, undo)
            await env.store.put(record)
        undo.pop_all()
    env.events.publish("network", "create", record.id, {"name": record.name, "type": record.driver})
    return NetworkCreateResponse(Id=record.id)


async def _make_bridge(env: NetworksEnv, record: NetworkRecord, undo: AsyncExitStack) -> None:
    undo.push_async_callback(env.links.remove_bridge, record.bridge)
    await env.links.ensure_bridge(bridge_order(record))
    undo.push_async_callback(env.firewall.remove_network, network_rules(record))
    await env.firewall.add_network(network_rules(record))
    if env.settings.current.ip_forward:
        await env.links.enable_forwarding(ipv6=record.ipv6)


async def _make_parent(
    env: NetworksEnv, record: NetworkRecord, undo: AsyncExitStack
) -> NetworkRecord:
    is_fresh = await env.links.ensure_parent(record.parent)
    if is_fresh:
        undo.push_async_callback(env.links.detach, record.parent)
    # One that another network of ours made is shared, and goes with the last of them.
    is_ours = any(each.has_own_parent and each.parent == record.parent for each in env.store.all())
    return replace(record, has_own_parent=is_fresh or is_ours)


def _check(wanted: NetworkCreateRequest) -> None:
    if not _NAME.fullmatch(wanted.Name):
        raise InvalidArgument(
            "invalid network name: only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"
            if wanted.Name
            else "invalid network name: name is empty"
        )
    if wanted.Name in NAMES:
        raise PredefinedName(wanted.Name)
    if (
        wanted.Scope not in {"", "local"}
        or wanted.Ingress
        or wanted.ConfigOnly
        or (wanted.ConfigFrom and wanted.ConfigFrom.Network)
    ):
        raise InvalidArgument(
            "only networks of this machine are supported, without configurations of others"
        )
    if wanted.IPAM and wanted.IPAM.Driver not in {"", "default"}:
        raise NoSuchNetworkDriver(wanted.IPAM.Driver)


async def _record(env: NetworksEnv, wanted: NetworkCreateRequest) -> NetworkRecord:
    options = wanted.Options or {}
    network_id = new_id()
    driver = wanted.Driver or "bridge"
    parsed = parse_options(
        driver, options, network_id, env.settings.current.mtu, internal=wanted.Internal
    )
    return NetworkRecord(
        id=network_id,
        name=wanted.Name,
        driver=driver,
        created_ns=env.events.now_ns(),
        bridge=parsed.bridge,
        parent=parsed.parent,
        mode=parsed.mode,
        subnets=await choose_subnets(env, wanted, without_gateway=parsed.isolated),
        ipv4=wanted.EnableIPv4 is not False,
        ipv6=bool(wanted.EnableIPv6),
        internal=wanted.Internal,
        attachable=wanted.Attachable,
        icc=parsed.icc,
        masquerade=parsed.masquerade,
        mtu=parsed.mtu,
        host_ip=parsed.host_ip,
        prefix=parsed.prefix,
        routed=list(parsed.routed),
        unprotected=list(parsed.unprotected),
        isolated=list(parsed.isolated),
        options=dict(options),
        labels=dict(wanted.Labels or {}),
        ipam_options=dict((wanted.IPAM.Options if wanted.IPAM else None) or {}),
    )


def _refuse_conflicts(env: NetworksEnv, record: NetworkRecord) -> None:
    for other in env.store.all():
        if record.bridge and other.bridge == record.bridge:
            raise BridgeTaken(record.bridge, other.name)
        if record.parent and other.parent == record.parent:
            is_alone = "passthru" in {record.mode, other.mode} or record.driver != other.driver
            if is_alone:
                raise ParentTaken(other.name, record.parent)
