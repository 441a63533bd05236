"""The way to the outside of containers on overlay networks: a bridge of the host beside these.

Overlay networks lead to their members and nowhere else. A container that has no other way gets an
endpoint on this bridge, where containers do not reach one another. A user may make the network
before, with options of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import structlog
from msgspec.structs import replace

from api.errors import Internal
from api.types.networks import EndpointSettings, NetworkCreateRequest
from engine.networks.create import NetworkExists, create
from engine.networks.endpoint import Guest, make_endpoint
from engine.networks.env import NetworksEnv
from engine.networks.record import EndpointRecord, NetworkRecord

log = structlog.get_logger(__name__)

OUTSIDE = "docker_gwbridge"

_BRIDGE = "com.docker.network.bridge."
_OPTIONS = {
    f"{_BRIDGE}name": OUTSIDE,
    f"{_BRIDGE}enable_icc": "false",
    f"{_BRIDGE}enable_ip_masquerade": "true",
}


def needs_outside(networks: Sequence[NetworkRecord]) -> bool:
    """Tell whether a container on these networks needs an endpoint more to reach the outside."""
    overlays = [each for each in networks if each.overlay is not None]
    others = [each for each in networks if each.overlay is None and not each.internal]
    return any(not each.internal for each in overlays) and not others


async def outside_network(env: NetworksEnv) -> NetworkRecord:
    """Return the network of the way to the outside, made if there is none. Errors: Internal."""
    known = env.store.find(OUTSIDE)
    if known is not None:
        return known
    try:
        await _create(env, ipv6=env.links.has_ipv6())
    except Internal as error:
        # The host may be kept from forwarding IPv6, as in a container.
        log.warning("network.outside_without_ipv6", error=error.message)
        await _create(env, ipv6=False)
    return env.store.get(OUTSIDE)


async def _create(env: NetworksEnv, *, ipv6: bool) -> None:
    wanted = NetworkCreateRequest(Name=OUTSIDE, Driver="bridge", EnableIPv6=ipv6, Options=_OPTIONS)
    # The start of another container may have made it in the meantime.
    with suppress(NetworkExists):
        await create(env, wanted)


async def outside_endpoint(
    env: NetworksEnv, network: NetworkRecord, guest: Guest, name: str
) -> EndpointRecord:
    """Return a hidden endpoint, without names. Errors: those of `make_endpoint`."""
    endpoint = await make_endpoint(env, network, guest, name, EndpointSettings())
    settings = replace(endpoint.settings, DNSNames=None)
    return replace(endpoint, settings=settings, is_hidden=True)
