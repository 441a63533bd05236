"""Bring records and kernel together when the daemon starts."""

from __future__ import annotations

from collections.abc import Collection

import msgspec
import structlog

from api.errors import Internal, SkepError
from engine.networks.bridge import bridge_order, network_rules
from engine.networks.endpoint import claim_endpoint, link_order
from engine.networks.env import NetworksEnv
from engine.networks.gateway import gateways
from engine.networks.overlay_guard import tunnel_ports
from engine.networks.overlay_space import adopt_space, open_space, sweep_spaces
from engine.networks.predefined import ensure_predefined
from engine.networks.record import EndpointRecord, NetworkRecord, SandboxRecord
from engine.networks.resolver import open_resolver
from engine.networks.sandbox import INGRESS_SANDBOX

log = structlog.get_logger(__name__)


async def restore(env: NetworksEnv, running: Collection[str]) -> None:
    """Set up bridges and the firewall; keep the sandboxes of running containers, no others.

    What is missing of those is made again; what no record explains on our bridges and in our
    directory is removed. Interfaces, tables and namespaces of others are not touched.
    Errors:  Internal when a bridge or the table cannot be set up.
    """
    sandboxes = await env.store.load()
    alive = {*running}
    if await env.links.has_namespace(INGRESS_SANDBOX):
        alive.add(INGRESS_SANDBOX)
    kept = [each for each in sandboxes if each.container_id in alive]
    for record in kept:
        env.store.hold(record)
    await ensure_predefined(env)
    kept = [_known_networks_only(env, record) for record in kept]
    await _set_up_bridges(env)
    for record in kept:
        env.store.hold(record)
        env.overlay.state.restored.add(record.container_id)
    fresh = await _open_overlays(env, kept)
    for record in kept:
        await _readopt(env, record, fresh)
    for record in sandboxes:
        if record.container_id not in alive:
            await _forget(env, record.container_id)
    await _sweep(env, kept)
    await sweep_spaces(env)
    bridges = [network for network in env.store.all() if network.bridge]
    await env.firewall.rebuild(
        [network_rules(each) for each in bridges],
        [each for record in kept for each in record.publications],
        tunnel_ports(env),
    )


async def _forget(env: NetworksEnv, container_id: str) -> None:
    try:
        await env.store.forget(container_id)
    except Internal as error:
        # A full disk: the next start finds the record again.
        log.warning("network.record_kept", container_id=container_id, reason=error.message)


async def _set_up_bridges(env: NetworksEnv) -> None:
    bridges = [network for network in env.store.all() if network.bridge]
    if env.settings.current.ip_forward:
        await env.links.enable_forwarding(ipv6=any(each.ipv6 for each in bridges))
    for network in bridges:
        await env.links.ensure_bridge(bridge_order(network))
    for network in env.store.all():
        if network.has_own_parent:
            try:
                await env.links.ensure_parent(network.parent)
            except SkepError as error:
                log.warning("network.parent_lost", network=network.name, error=error.message)


def _known_networks_only(env: NetworksEnv, record: SandboxRecord) -> SandboxRecord:
    known = [each for each in record.endpoints if env.store.find(each.network_id)]
    return msgspec.structs.replace(record, endpoints=known)


async def _open_overlays(env: NetworksEnv, kept: Collection[SandboxRecord]) -> set[str]:
    """Use the overlay networks' namespaces that are there; return those that had to be made."""
    fresh = set()
    for network_id in {endpoint.network_id for record in kept for endpoint in record.endpoints}:
        network = env.store.get(network_id)
        if network.overlay is None:
            continue
        try:
            if not await adopt_space(env, network):
                await open_space(env, network)
                fresh.add(network_id)
        except SkepError as error:
            log.warning("network.overlay_lost", network=network.name, error=error.message)
    return fresh


async def _readopt(env: NetworksEnv, record: SandboxRecord, fresh: Collection[str]) -> None:
    """Take a running container's addresses and ports again, and mend its links."""
    for endpoint in record.endpoints:
        network = env.store.get(endpoint.network_id)
        try:
            claim_endpoint(env, endpoint)
            if network.bridge:
                await _mend(env, record, network, endpoint)
            elif network.overlay is not None and (
                network.id in fresh
                or endpoint.link not in await env.overlay.spaces.ports(network.id)
            ):
                await _plug_again(env, record, network, endpoint)
        except SkepError as error:
            log.warning(
                "network.endpoint_not_restored",
                container_id=record.container_id, network=network.name, error=error.message,
            )  # fmt: skip
    try:
        await open_resolver(env, record)
    except SkepError as error:
        log.warning(
            "network.resolver_not_restored", container_id=record.container_id, error=error.message
        )
    for each in record.publications:
        if not each.host_port:
            continue
        try:
            env.reservations.reserve(each.protocol, each.host_ip, each.host_port)
        except SkepError as error:
            log.warning(
                "network.port_not_reserved",
                container_id=record.container_id, port=each.host_port, error=error.message,
            )  # fmt: skip


async def _mend(
    env: NetworksEnv, record: SandboxRecord, network: NetworkRecord, endpoint: EndpointRecord
) -> None:
    if endpoint.link in await env.links.bridge_ports(network.bridge):
        return
    pairs = [(env.store.get(each.network_id), each) for each in record.endpoints]
    order = link_order(env, network, endpoint, gateways(pairs))
    if not await env.links.adopt(order):
        await env.links.attach(record.container_id, order)
    log.info("network.link_mended", container_id=record.container_id, network=network.name)


async def _plug_again(
    env: NetworksEnv, record: SandboxRecord, network: NetworkRecord, endpoint: EndpointRecord
) -> None:
    order = link_order(env, network, endpoint, {})
    await env.links.unplug(record.container_id, order)
    await env.links.attach(record.container_id, order)
    log.info("network.link_mended", container_id=record.container_id, network=network.name)


async def _sweep(env: NetworksEnv, kept: Collection[SandboxRecord]) -> None:
    keys = {each.container_id for each in kept}
    for key in await env.links.namespaces() - keys:
        await env.links.close_namespace(key, [])
        log.info("network.namespace_removed", container_id=key)
    ours = {endpoint.link for record in kept for endpoint in record.endpoints}
    for network in env.store.all():
        if not network.bridge:
            continue
        for name in await env.links.bridge_ports(network.bridge) - ours:
            # A person may have plugged in something of their own.
            if name.startswith("veth"):
                await env.links.detach(name)
                log.info("network.link_removed", link=name)
