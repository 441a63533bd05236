"""The namespaces of overlay networks: there while a container of this node is on the network."""

from __future__ import annotations

from collections.abc import Iterable

import structlog

from engine.core.overlay import difference
from engine.networks.env import NetworksEnv
from engine.networks.overlay_encryption import (
    guard_network,
    sweep_encryption,
    unguard_network,
)
from engine.networks.overlay_guard import guard_tunnels, sweep_guard, unguard_tunnels
from engine.networks.overlay_sources import guard_sources
from engine.networks.overlay_state import KnownOverlay
from engine.networks.record import EndpointRecord, NetworkRecord
from engine.ports.overlay import SpaceOrder

log = structlog.get_logger(__name__)


async def open_space(env: NetworksEnv, network: NetworkRecord) -> None:
    """Have the network's namespace in the kernel with all peers that are known; fine if it is.

    The sandbox that it is for is held before, so that nobody closes it meanwhile, and its
    links, which are not there yet, may send under their addresses.
    Errors:  EncryptionUnavailable, Internal.
    """
    if network.overlay is None:
        return
    async with env.overlay.state.lock(network.id):
        known = known_overlay(env, network)
        if not known.is_open:
            await _open(env, network, known)
        await guard_sources(env, network, known)


async def close_unused_spaces(env: NetworksEnv, endpoints: Iterable[EndpointRecord]) -> None:
    """Take the namespaces away of overlay networks of these endpoints that nobody is on any more.

    Errors:  Internal.
    """
    for network_id in {each.network_id for each in endpoints}:
        await close_unused_space(env, network_id)


async def close_unused_space(env: NetworksEnv, network_id: str) -> None:
    """Take a network's namespace away if nobody is on it; the network may be forgotten by now.

    Errors:  Internal.
    """
    async with env.overlay.state.lock(network_id):
        known = env.overlay.state.find(network_id)
        if known is None or not known.is_open:
            return
        if env.store.sandboxes_on(network_id):
            if (network := env.store.find(network_id)) is not None:
                await guard_sources(env, network, known)
            return
        env.overlay.balancers.close(network_id)
        known.sources = None
        await env.overlay.spaces.close(network_id)
        await unguard_network(env, network_id)
        await unguard_tunnels(env, network_id)
        known.is_open = False


async def sweep_spaces(env: NetworksEnv) -> None:
    """After a start: take the namespaces away that no sandbox needs. Errors: Internal."""
    for key in await env.overlay.spaces.keys():
        if not env.store.sandboxes_on(key):
            await env.overlay.spaces.close(key)
            log.info("network.overlay_removed", network_id=key)
    await sweep_guard(env)
    await sweep_encryption(env)


async def adopt_space(env: NetworksEnv, network: NetworkRecord) -> bool:
    """After a start: use the namespace that is there, its tables untouched; False if there is none.

    What the managers know by now is compared with it when they tell.
    """
    if network.overlay is None or not await env.overlay.spaces.is_there(network.id):
        return False
    async with env.overlay.state.lock(network.id):
        known = known_overlay(env, network)
        if not known.is_open:
            await guard_network(env, network)
            await env.overlay.spaces.open(_order(network))
            present = await env.overlay.spaces.tables(network.id)
            await guard_tunnels(env, network, set(present.forwarding.values()))
            known.is_open = True
            await guard_sources(env, network, known)
    return True


def known_overlay(env: NetworksEnv, network: NetworkRecord) -> KnownOverlay:
    """Return what is known of an overlay network."""
    assert network.overlay is not None
    return env.overlay.state.of(network.id, tuple(network.overlay.tunnels))


async def reconcile_space(env: NetworksEnv, network: NetworkRecord, known: KnownOverlay) -> None:
    """Bring the kernel's tables to what is known, whatever they are. Errors: Internal."""
    present = await env.overlay.spaces.tables(network.id)
    await env.overlay.spaces.change(network.id, difference(present, known.peers.tables()))


async def reopen_space(env: NetworksEnv, network: NetworkRecord, known: KnownOverlay) -> None:
    """Bring a namespace that is there to what the network is now. Errors: Internal."""
    await guard_tunnels(env, network, known.peers.nodes)
    await guard_network(env, network)
    await env.overlay.spaces.open(_order(network))
    await reconcile_space(env, network, known)


async def _open(env: NetworksEnv, network: NetworkRecord, known: KnownOverlay) -> None:
    try:
        await guard_network(env, network)
        await guard_tunnels(env, network, known.peers.nodes)
        await env.overlay.spaces.open(_order(network))
        await reconcile_space(env, network, known)
    except BaseException:
        env.overlay.balancers.close(network.id)
        await env.overlay.spaces.close(network.id)
        await unguard_network(env, network.id)
        await unguard_tunnels(env, network.id)
        raise
    known.is_open = True


def _order(network: NetworkRecord) -> SpaceOrder:
    overlay = network.overlay
    assert overlay is not None
    return SpaceOrder(
        key=network.id,
        tunnels=tuple(overlay.tunnels),
        mtu=network.mtu,
        local=overlay.address,
        port=overlay.port,
    )
