"""The node's part of the routing mesh: its ingress sandbox, and the ports that services publish.

A client's connection goes to a task of this node under the client's own address, or through the
sandbox over the ingress network to a task of another node, under the sandbox's address there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress

import structlog
from msgspec import UNSET

from api.addresses import version_of
from api.errors import SkepError
from api.types.networks import EndpointIPAMConfig, EndpointSettings
from engine.core.bindings import HostAddressMissing
from engine.core.discovery import Member
from engine.core.mesh import Mesh, Port, Published, PublishedService
from engine.networks.close_sandbox import close_sandbox
from engine.networks.endpoint import AddressMissing
from engine.networks.env import NetworksEnv
from engine.networks.open_sandbox import open_sandbox
from engine.networks.overlay_flows import retire_published
from engine.networks.overlay_space import known_overlay
from engine.networks.record import EndpointRecord, NetworkRecord, SandboxRecord
from engine.networks.sandbox import HOST, INGRESS_SANDBOX, SandboxRequest

log = structlog.get_logger(__name__)

SANDBOX_TABLE = "skep-ingress"
_ANY = "0.0.0.0", "::"  # noqa: S104  (what is published, not what is bound)


async def open_ingress(env: NetworksEnv, network_id: str, addresses: Iterable[str]) -> None:
    """Have the ingress sandbox, with these addresses on the network; fine if it is there.

    Errors:  NoSuchNetwork, AddressMissing, Internal.
    """
    network = env.store.get(network_id)
    given: dict[int, str] = {version_of(each): each for each in addresses}
    if not env.links.has_ipv6():
        given.pop(6, None)
    if 4 not in given:
        raise AddressMissing(network.name)
    box = env.store.sandbox(INGRESS_SANDBOX)
    if box is not None:
        if _addresses_on(box, network_id) == given:
            return
        await close_sandbox(env, INGRESS_SANDBOX)
    wishes = EndpointIPAMConfig(IPv4Address=given[4], IPv6Address=given.get(6, UNSET))
    await open_sandbox(
        env,
        SandboxRequest(
            container_id=INGRESS_SANDBOX,
            container_name="ingress-endpoint",
            hostname=INGRESS_SANDBOX,
            endpoints={network_id: EndpointSettings(IPAMConfig=wishes)},
        ),
    )
    await env.links.enable_forwarding(ipv6=True, key=INGRESS_SANDBOX)
    env.overlay.state.sandbox_mesh = None


async def close_ingress(env: NetworksEnv) -> None:
    """Publish nothing of services on this node any more, and take the sandbox away.

    Errors:  Internal.
    """
    state = env.overlay.state
    for port in list(state.published_ports):
        _release(env, port)
    host = state.host_mesh or host_mesh(env)
    state.host_mesh = state.sandbox_mesh = None
    state.published.clear()
    await env.overlay.health.tell({})
    await env.overlay.balancers.run("host", HOST, host.removal())
    await close_sandbox(env, INGRESS_SANDBOX)


async def set_published(
    env: NetworksEnv,
    network_id: str,
    changes: Mapping[str, PublishedService | None],
    *,
    is_complete: bool = False,
) -> None:
    """Take in services with published ports that are new or other than they were, None for gone.

    Their targets are members that were told before. A complete change tells all services.
    Errors:  NoSuchNetwork, Internal.
    """
    network = env.store.get(network_id)
    state = env.overlay.state
    before = {port for id_ in changes for port in _ports(state.published.get(id_))}
    if is_complete:
        state.published.clear()
        state.host_mesh = state.sandbox_mesh = None
    for service_id, service in changes.items():
        if service is None:
            state.published.pop(service_id, None)
        else:
            state.published[service_id] = service
    touched = [each for each in changes.values() if each is not None]
    after = {port for each in touched for port in _ports(each)}
    _hold_ports(env)
    await _enforce(env, network, touched, before - after)
    await env.overlay.health.tell(_own_targets(env, network))


def _own_targets(env: NetworksEnv, network: NetworkRecord) -> dict[int, tuple[str, int]]:
    """Return services' names and numbers of targets on this node, by the ports that tell of it."""
    members = known_overlay(env, network).members
    found = {}
    for service in env.overlay.state.published.values():
        if service.health_port:
            own = [members[each] for each in service.targets if each in members]
            count = sum(not each.node for each in own)
            found[service.health_port] = service.name, count
    return found


async def _enforce(
    env: NetworksEnv,
    network: NetworkRecord,
    touched: Iterable[PublishedService],
    gone: Collection[Port],
) -> None:
    """Bring both tables to a change; a table that is not known, or cannot take it, is made anew."""
    state = env.overlay.state
    here, there = published_targets(env, network, touched)

    def whole() -> tuple[Published, Published]:
        # Costs as much as there is, so only where it is needed.
        return published_targets(env, network, state.published.values())

    path = env.links.namespace_path(INGRESS_SANDBOX)
    if state.sandbox_mesh is None:
        if env.store.sandbox(INGRESS_SANDBOX) is not None:
            state.sandbox_mesh = Mesh(SANDBOX_TABLE, is_host=False)
            text = state.sandbox_mesh.whole(whole()[1])
            await env.overlay.balancers.run(INGRESS_SANDBOX, path, text)
    else:
        text = state.sandbox_mesh.change(there, gone)
        await _run(env, INGRESS_SANDBOX, path, text, state.sandbox_mesh, lambda: whole()[1])
    if state.host_mesh is None:
        state.host_mesh = host_mesh(env)
        await env.overlay.balancers.run("host", HOST, state.host_mesh.whole(whole()[0]))
    else:
        ports = [*here, *gone]
        before = {port: state.host_mesh.targets(port) for port in ports}
        text = state.host_mesh.change(here, gone)
        await _run(env, "host", HOST, text, state.host_mesh, lambda: whole()[0])
        for port in ports:
            await retire_published(env, port, before[port], state.host_mesh.targets(port))


async def _run(
    env: NetworksEnv,
    key: str,
    path: str,
    text: str,
    mesh: Mesh,
    whole: Callable[[], Published],
) -> None:
    if not text:
        return
    try:
        await env.overlay.balancers.run(key, path, text)
    except SkepError as error:
        log.warning("network.mesh_made_anew", key=key, error=error.message)
        await env.overlay.balancers.run(key, path, mesh.whole(whole()))


def published_targets(
    env: NetworksEnv, network: NetworkRecord, services: Iterable[PublishedService]
) -> tuple[dict[Port, dict[str, int]], dict[Port, dict[str, int]]]:
    """Return the targets of the host's table, and of the sandbox's, by published port."""
    members = known_overlay(env, network).members
    outside = _outside_addresses(env, network.id)
    box = env.store.sandbox(INGRESS_SANDBOX)
    sandbox = _outside(box) if box is not None else {}
    here: dict[Port, dict[str, int]] = {}
    there: dict[Port, dict[str, int]] = {}
    for service in services:
        for protocol, published, target in service.ports:
            port = protocol, published
            own, others = here.setdefault(port, {}), there.setdefault(port, {})
            totals: dict[int, int] = {}
            for address, weight in _members_of(service, members):
                if address in outside:
                    own[f"{outside[address]} . {target}"] = weight
                else:
                    others[f"{address} . {target}"] = weight
                    family = version_of(address)
                    totals[family] = totals.get(family, 0) + weight
            for version, total in totals.items():
                if version in sandbox:
                    own[f"{sandbox[version]} . {published}"] = total
    return here, there


def _members_of(
    service: PublishedService, members: Mapping[str, Member]
) -> Iterator[tuple[str, int]]:
    """Yield the addresses of the targets that this node answers for, and their weights."""
    for member_id, weight in service.targets.items():
        member = members.get(member_id)
        if member is not None and not (service.is_local_only and member.node):
            yield from ((address, weight) for address in member.addresses)


def _outside_addresses(env: NetworksEnv, network_id: str) -> dict[str, str]:
    """Return the address on the bridge to the outside of this node's containers on a network.

    That of the same family, by address on the network.
    """
    return {
        address: outside[version]
        for box in env.store.sandboxes_on(network_id)
        if box.container_id != INGRESS_SANDBOX
        for outside in [_outside(box)]
        for version, address in _addresses_on(box, network_id).items()
        if version in outside
    }


def _addresses_on(box: SandboxRecord, network_id: str) -> dict[int, str]:
    found = (each for each in box.endpoints if each.network_id == network_id)
    return _by_family(next(found, None))


def _outside(box: SandboxRecord) -> dict[int, str]:
    return _by_family(next((each for each in box.endpoints if each.is_hidden), None))


def _by_family(endpoint: EndpointRecord | None) -> dict[int, str]:
    if endpoint is None:
        return {}
    own = {4: endpoint.settings.IPAddress, 6: endpoint.settings.GlobalIPv6Address}
    return {version: address for version, address in own.items() if address}


def _ports(service: PublishedService | None) -> Iterable[Port]:
    return ((each[0], each[1]) for each in (service.ports if service is not None else ()))


def host_mesh(env: NetworksEnv) -> Mesh:
    """Return the host's table, of nothing so far."""
    return Mesh(f"{env.settings.current.firewall_table}-ingress", is_host=True)


def _hold_ports(env: NetworksEnv) -> None:
    """Keep other programs and containers of this node from the ports that are published."""
    state = env.overlay.state
    wanted = {port for service in state.published.values() for port in _ports(service)}
    for port in state.published_ports - wanted:
        _release(env, port)
    for port in wanted - state.published_ports:
        try:
            _reserve(env, port)
        except SkepError as error:
            log.warning("network.port_not_reserved", port=port[1], error=error.message)
            continue
        state.published_ports.add(port)


def _reserve(env: NetworksEnv, port: Port) -> None:
    """Hold a port of both families, of those that the host has. Errors: PortInUse."""
    with ExitStack() as undo:
        for address in _ANY:
            with suppress(HostAddressMissing):
                env.reservations.reserve(port[0], address, port[1])
                undo.callback(env.reservations.release, port[0], address, port[1])
        undo.pop_all()


def _release(env: NetworksEnv, port: Port) -> None:
    for address in _ANY:
        env.reservations.release(port[0], address, port[1])
    env.overlay.state.published_ports.discard(port)
