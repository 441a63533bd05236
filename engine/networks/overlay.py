"""Overlay networks as the cluster tells of them: the networks, their members, their services.

Calls for one network come one after the other. What is told while no container of this node is on
the network is kept in memory, and in the kernel from when there is one.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field
from msgspec.structs import replace

from engine.core.discovery import (
    Member,
    OverlayService,
    TargetsChange,
    balanced,
    entry_of,
    peer_of,
    service_entries,
    service_owner,
)
from engine.core.overlay import Tunnel
from engine.networks.env import NetworksEnv
from engine.networks.overlay_balance import change_services
from engine.networks.overlay_encryption import is_encrypted, secure
from engine.networks.overlay_flows import forget_flows, retire_targets
from engine.networks.overlay_guard import guard_tunnels, tunnel_ports
from engine.networks.overlay_space import (
    close_unused_space,
    known_overlay,
    reconcile_space,
    reopen_space,
)
from engine.networks.overlay_state import KnownOverlay
from engine.networks.record import NetworkRecord, OverlayRecord, SubnetRecord


class OverlayNetwork(Struct, frozen=True, kw_only=True):
    """A network of the cluster; a tunnel for each of its subnets, which are in CIDR form.

    `gateways` are by subnet. `address` and `port` are where this node's tunnels are.
    """

    id: str
    name: str
    created_ns: int
    tunnels: tuple[Tunnel, ...]
    address: str
    port: int
    mtu: int
    gateways: Mapping[str, str] = field(default_factory=dict)
    internal: bool = False
    attachable: bool = False
    is_ingress: bool = False
    ipv6: bool = False
    options: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


async def put_overlay(env: NetworksEnv, wanted: OverlayNetwork) -> None:
    """Know a network from now on, or as it is now. Errors: Internal."""
    record = _record(wanted)
    async with env.store.change:
        if env.store.find(wanted.id) == record:
            return
        if wanted.port not in (ports := tunnel_ports(env)):
            await env.firewall.guard_tunnels(ports | {wanted.port})
        await env.store.put(record)
    async with env.overlay.state.lock(record.id):
        known = known_overlay(env, record)
        if known.is_open:
            await reopen_space(env, record, known)


async def drop_overlay(env: NetworksEnv, network_id: str) -> bool:
    """Forget a network; False while containers of this node are on it. Errors: Internal."""
    async with env.store.change:
        network = env.store.find(network_id)
        if network is None or network.overlay is None:
            await close_unused_space(env, network_id)
            return True
        if env.store.sandboxes_on(network_id):
            return False
        known = known_overlay(env, network)
        for service_id in list(known.services):
            _name_service(env, network_id, known, service_id, None)
        for member_id in known.members:
            env.store.directory.drop(_owner(network_id, member_id))
        await env.store.drop(network)
        if network.overlay.port not in (ports := tunnel_ports(env)):
            await env.firewall.guard_tunnels(ports)
        # Who left last may still be at work on it.
        await close_unused_space(env, network_id)
        env.overlay.state.forget(network_id)
        return True


async def set_members(
    env: NetworksEnv,
    network_id: str,
    changes: Mapping[str, Member | None],
    *,
    is_complete: bool = False,
) -> None:
    """Take in members of a network that are new or other than they were, None for gone.

    A complete change tells all members: others are gone, and the kernel is compared with it.
    Errors:  NoSuchNetwork, Internal.
    """
    network = env.store.get(network_id)
    async with env.overlay.state.lock(network.id):
        known = known_overlay(env, network)
        if is_complete:
            changes = {**dict.fromkeys(known.members), **changes}
        gone = [
            address
            for member_id, member in changes.items()
            if member is None and member_id in known.members
            for address in known.members[member_id].addresses
        ]
        for member_id, member in changes.items():
            _name_member(env, network_id, known, member_id, member)
            if member is not None:
                env.overlay.state.given(network_id, member.addresses)
        nodes = known.peers.nodes
        change = known.peers.change({id_: peer_of(each) for id_, each in changes.items()})
        if not known.is_open:
            return
        if is_complete or nodes != known.peers.nodes:
            await guard_tunnels(env, network, known.peers.nodes)
            if is_encrypted(network):
                await secure(env)
        if is_complete:
            await reconcile_space(env, network, known)
        else:
            await env.overlay.spaces.change(network.id, change)
        if gone:
            held = {each for member in known.members.values() for each in member.addresses}
            await forget_flows(env, network.id, [each for each in gone if each not in held])


async def set_services(
    env: NetworksEnv,
    network_id: str,
    changes: Mapping[str, OverlayService | None],
    *,
    is_complete: bool = False,
) -> None:
    """Take in services of a network that are new or other than they were, None for gone.

    Their targets are members that were told before. A complete change tells all services.
    Errors:  NoSuchNetwork.
    """
    network = env.store.get(network_id)
    async with env.overlay.state.lock(network.id):
        known = known_overlay(env, network)
        if is_complete:
            changes = {**dict.fromkeys(known.services), **changes}
        before: dict[str, Mapping[str, int]] = {}
        after: dict[str, Mapping[str, int]] = {}
        for service_id, service in changes.items():
            if (present := known.services.get(service_id)) is not None:
                before |= balanced(present, known.members)
            _name_service(env, network_id, known, service_id, service)
            if service is not None:
                after |= balanced(service, known.members)
        retire_targets(env, network_id, before, after)
        known.is_told = known.is_told or is_complete
        sandboxes = env.store.sandboxes_on(network_id)
        await change_services(env, sandboxes, after, before.keys() - after.keys())


async def set_targets(
    env: NetworksEnv, network_id: str, changes: Mapping[str, TargetsChange]
) -> None:
    """Take in who became a target of services that were told, and who is none any more.

    Its cost is that of the change, not of the services' size. Targets are members that were told
    before, and those that are none are still known.
    Errors:  NoSuchNetwork.
    """
    network = env.store.get(network_id)
    async with env.overlay.state.lock(network.id):
        known = known_overlay(env, network)
        gone: dict[str, Mapping[str, int]] = {}
        fresh: dict[str, Mapping[str, int]] = {}
        # Where it is not known any more whose slots go: all are set.
        whole: dict[str, Mapping[str, int]] = {}
        for service_id, change in changes.items():
            service = known.services.get(service_id)
            if service is None:
                continue
            removed = replace(service, targets=dict.fromkeys(change.removed, 0))
            gone |= balanced(removed, known.members)
            added = replace(service, targets=change.targets)
            fresh |= balanced(added, known.members)
            after = replace(service, targets=change.applied(service.targets))
            if not known.members.keys() >= set(change.removed):
                whole |= balanced(after, known.members)
            known.services[service_id] = after
            _name_targets(env, network_id, known, service_id, change)
        retire_targets(env, network_id, gone, fresh)
        weights = {each: {**gone.get(each, {}), **fresh.get(each, {})} for each in gone | fresh}
        await change_services(env, env.store.sandboxes_on(network_id), whole, weights=weights)


def _name_targets(
    env: NetworksEnv, network_id: str, known: KnownOverlay, service_id: str, change: TargetsChange
) -> None:
    """Let names lead to the targets of a service as they are after a change."""
    named = known.named.setdefault(service_id, {})
    for member_id in change.removed:
        owner = service_owner(service_id, member_id)
        if named.pop(owner, None) is not None:
            env.store.directory.drop(_owner(network_id, owner))
    touched = replace(known.services[service_id], targets=change.targets)
    for owner, entry in service_entries(service_id, touched, known.members).items():
        if named.get(owner) != entry:
            named[owner] = entry
            env.store.directory.put(_owner(network_id, owner), {network_id: entry})


def _name_member(
    env: NetworksEnv, network_id: str, known: KnownOverlay, member_id: str, member: Member | None
) -> None:
    owner = _owner(network_id, member_id)
    if member is None:
        known.members.pop(member_id, None)
        env.store.directory.drop(owner)
        return
    known.members[member_id] = member
    if member.names:
        env.store.directory.put(owner, {network_id: entry_of(member.names, member.addresses)})


def _name_service(
    env: NetworksEnv,
    network_id: str,
    known: KnownOverlay,
    service_id: str,
    service: OverlayService | None,
) -> None:
    """Put a service's names into the directory in place of those it had."""
    prefix = _owner(network_id, "")
    had = known.named.get(service_id, {})
    has = service_entries(service_id, service, known.members)
    for owner in had.keys() - has.keys():
        env.store.directory.drop(prefix + owner)
    for owner, entry in has.items():
        if had.get(owner) != entry:
            env.store.directory.put(prefix + owner, {network_id: entry})
    if service is None:
        known.named.pop(service_id, None)
        known.services.pop(service_id, None)
    else:
        known.named[service_id] = has
        known.services[service_id] = service


def _owner(network_id: str, name: str) -> str:
    return f"{network_id}/{name}"


def _record(wanted: OverlayNetwork) -> NetworkRecord:
    return NetworkRecord(
        id=wanted.id,
        name=wanted.name,
        driver="overlay",
        created_ns=wanted.created_ns,
        subnets=[
            SubnetRecord(
                subnet=each.subnet,
                gateway=wanted.gateways.get(each.subnet, ""),
                is_chosen_by_user=True,
            )
            for each in wanted.tunnels
        ],
        ipv6=wanted.ipv6,
        internal=wanted.internal,
        attachable=wanted.attachable,
        mtu=wanted.mtu,
        options=dict(wanted.options),
        labels=dict(wanted.labels),
        overlay=OverlayRecord(
            tunnels=list(wanted.tunnels),
            address=wanted.address,
            port=wanted.port,
            is_ingress=wanted.is_ingress,
        ),
    )
