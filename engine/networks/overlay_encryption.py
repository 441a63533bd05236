"""Encrypted overlay networks of this node: guarded from the start, keyed as the managers tell."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from api.addresses import version_of
from engine.core.esp import WORN_PACKETS, Change, NetworkKey, associations, difference
from engine.core.overlay import ENCRYPTED, EncryptionUnavailable
from engine.networks.encryption_state import Secured
from engine.networks.env import NetworksEnv
from engine.networks.record import NetworkRecord

log = structlog.get_logger(__name__)


def is_encrypted(network: NetworkRecord) -> bool:
    """Tell whether what goes between nodes on this network is encrypted."""
    return network.overlay is not None and ENCRYPTED in network.options


async def guard_network(env: NetworksEnv, network: NetworkRecord) -> None:
    """Let the packets of an encrypted network pass only encrypted, from now on; fine if they do.

    Call it before there are tunnels, or when these change. Other networks need nothing.
    Errors:  EncryptionUnavailable, Internal.
    """
    encryption, overlay = env.overlay.state.encryption, network.overlay
    if overlay is None or not is_encrypted(network):
        return
    if network.id not in encryption.guarded:
        lack = await env.overlay.encryption.lacks(version_of(overlay.address))
        if lack:
            raise EncryptionUnavailable(network.name, lack)
    before = encryption.guarded.get(network.id)
    encryption.guarded[network.id] = overlay
    try:
        await secure(env)
    except BaseException:
        if before is None:
            del encryption.guarded[network.id]
        raise


async def unguard_network(env: NetworksEnv, network_id: str) -> None:
    """Let go of what a network needed that has no tunnels any more; fine if it is not known.

    Errors:  Internal.
    """
    if env.overlay.state.encryption.guarded.pop(network_id, None) is not None:
        await secure(env)


async def set_keys(env: NetworksEnv, keys: Sequence[NetworkKey]) -> None:
    """Encrypt by these keys from now on: all that the managers told. Errors: Internal."""
    env.overlay.state.encryption.keys = tuple(keys)
    await secure(env)


async def are_keys_worn(env: NetworksEnv) -> bool:
    """Tell whether this node has used its key so much that it needs the next. Errors: Internal."""
    if not env.overlay.state.encryption.guarded:
        return False
    return await env.overlay.encryption.most_sent() >= WORN_PACKETS


async def sweep_encryption(env: NetworksEnv) -> None:
    """After a start: take away what an encrypted network left that is not used any more.

    Kernels are not asked where there never was one. Errors: Internal.
    """
    if any(map(is_encrypted, env.store.all())) and not env.overlay.state.encryption.guarded:
        env.overlay.state.encryption.secured = None
        await secure(env)


async def secure(env: NetworksEnv) -> None:
    """Bring guard, states and policies in the kernel to what is known.

    After a start the keys are not known before the managers tell: what is there stays till then.
    Errors:  Internal; the next call looks at all anew.
    """
    encryption = env.overlay.state.encryption
    async with encryption.lock:
        wanted, before = wanted_encryption(env), encryption.secured
        if wanted == before:
            return
        encryption.secured = None
        if before is None or wanted.tunnels != before.tunnels:
            await env.overlay.encryption.guard(wanted.vnis, wanted.ports)
        if wanted.keys is not None or not wanted.tunnels:
            change = await encryption_change(env, wanted)
            await env.overlay.encryption.change(change)
            if change:
                log.info("network.encryption_changed", peers=len(wanted.paths))
        encryption.secured = wanted


async def encryption_change(env: NetworksEnv, wanted: Secured) -> Change:
    """Return what the kernel lacks, or has too much. Errors: Internal."""
    present = await env.overlay.encryption.present()
    # A thousand peers take a tenth of a second.
    target = await asyncio.to_thread(associations, wanted.paths, wanted.keys or ())
    return difference(present, target)


def wanted_encryption(env: NetworksEnv) -> Secured:
    """Return what the guarded networks need."""
    state = env.overlay.state
    tunnels: set[tuple[int, int]] = set()
    paths: set[tuple[str, str, int]] = set()
    for network_id, overlay in state.encryption.guarded.items():
        tunnels.update((each.vni, overlay.port) for each in overlay.tunnels)
        known = state.find(network_id)
        peers = known.peers.nodes if known is not None else ()
        paths.update((overlay.address, peer, overlay.port) for peer in peers)
    keys = state.encryption.keys if tunnels else None
    return Secured(frozenset(tunnels), frozenset(paths), keys)
