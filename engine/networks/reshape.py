"""What a sandbox's ports and routes become when its endpoints change."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from api.types.networks import EndpointSettings
from engine.core.firewall import Publication
from engine.networks.env import NetworksEnv
from engine.networks.gateway import Pair, gateways, publishing
from engine.networks.open_sandbox import publish_at
from engine.networks.publish import ports_shown
from engine.networks.record import EndpointRecord, SandboxRecord
from engine.ports.network import Route


def reshaped(
    env: NetworksEnv, before: SandboxRecord, endpoints: list[EndpointRecord]
) -> SandboxRecord:
    """Return a sandbox with other endpoints: its host ports stay, and lead to the gateway's.

    A container without published ports that gets its first network able to publish gets them now,
    and holds them; the caller lets go of those that `before` has and the result has not.
    Errors:  PublishingFailed.
    """
    chosen = gateways(pairs_of(env, endpoints))
    if before.publications:
        publications = _retargeted(before.publications, publishing(chosen).settings)
    else:
        publications = publish_at(env, before.container_name, before.wanted, chosen)
    return replace(
        before,
        endpoints=endpoints,
        publications=publications,
        ports=ports_shown(frozenset(before.exposed), publications) if endpoints else {},
    )


def pairs_of(env: NetworksEnv, endpoints: Sequence[EndpointRecord]) -> list[Pair]:
    """Return endpoints with their networks. Errors: NoSuchNetwork."""
    return [(env.store.get(each.network_id), each) for each in endpoints]


def default_routes(env: NetworksEnv, record: SandboxRecord) -> list[Route]:
    """Return the default routes of a sandbox, IPv4 first."""
    chosen = gateways(pairs_of(env, record.endpoints))
    return [
        Route(
            link=endpoint.name,
            gateway=endpoint.settings.Gateway if family == 4 else endpoint.settings.IPv6Gateway,
        )
        for family, (_, endpoint) in sorted(chosen.items())
    ]


async def enforce(env: NetworksEnv, before: SandboxRecord, after: SandboxRecord) -> None:
    """Bring routes and published ports from what they were to what they are to be."""
    routes = default_routes(env, after)
    if routes != default_routes(env, before):
        await env.links.set_default_routes(after.container_id, routes)
    if after.publications != before.publications:
        await env.firewall.withdraw(before.publications)
        await env.firewall.publish(after.publications)


def _retargeted(
    publications: Sequence[Publication], settings: EndpointSettings
) -> list[Publication]:
    moved = []
    for each in publications:
        address = settings.GlobalIPv6Address if ":" in each.container_ip else settings.IPAddress
        if address:
            moved.append(replace(each, container_ip=address))
    return moved
