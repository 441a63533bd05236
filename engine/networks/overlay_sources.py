"""Containers on an overlay network send as who they are, and as nobody else there."""

from __future__ import annotations

import structlog

from api.errors import SkepError
from engine.core.nft_batch import BRIDGE
from engine.core.source_guard import TABLE, Source, SourceGuard
from engine.networks.env import NetworksEnv
from engine.networks.overlay_state import KnownOverlay
from engine.networks.record import NetworkRecord

log = structlog.get_logger(__name__)


async def guard_sources(env: NetworksEnv, network: NetworkRecord, known: KnownOverlay) -> None:
    """Let the containers of this node that are on a network send under their own addresses alone.

    Call it before a link is plugged in, with its sandbox held: what is not known may not send. The
    namespace is there. A kernel that filters nothing in bridges is told of, and works as Docker's.
    """
    sources = _sources(env, network)
    try:
        if known.sources is not None:
            try:
                await _run(env, network, known.sources.change(sources))
            except SkepError as error:
                log.warning("network.sources_made_anew", error=error.message)
                known.sources = None
        if known.sources is None:
            known.sources = SourceGuard(each.subnet for each in known.tunnels)
            await _run(env, network, known.sources.whole(sources))
    except SkepError as error:
        known.sources = None
        log.warning("network.sources_open", network=network.name, error=error.message)
    except BaseException:
        known.sources = None
        raise


async def examine_sources(
    env: NetworksEnv, network: NetworkRecord, known: KnownOverlay
) -> list[str]:
    """Return every difference between the kernel and what is guarded. Errors: Internal."""
    guard = known.sources
    if guard is None:
        return ["containers may send under others' addresses"]
    path = env.overlay.spaces.path(network.id)
    present = await env.overlay.balancers.elements(path, TABLE, BRIDGE)
    return [f"who may send: {each}" for each in guard.differences(present)]


def _sources(env: NetworksEnv, network: NetworkRecord) -> dict[str, Source]:
    found = {}
    for box in env.store.sandboxes_on(network.id):
        for endpoint in box.endpoints:
            if endpoint.network_id == network.id:
                settings = endpoint.settings
                own = settings.IPAddress, settings.GlobalIPv6Address
                found[endpoint.link] = Source(settings.MacAddress, tuple(filter(None, own)))
    return found


async def _run(env: NetworksEnv, network: NetworkRecord, text: str) -> None:
    if text:
        await env.overlay.balancers.run(network.id, env.overlay.spaces.path(network.id), text)
