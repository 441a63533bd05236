"""Flows of datagrams that are led to who gets nothing new: forgotten, so that they find another.

Connection tracking keeps a flow where it is for as long as its client sends. One whose target is
gone is forgotten at once. One whose target was taken out of its service has some time to end: a
task that ends has its grace period, but that of a lost node is a member for as long as nobody knows
what became of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import structlog

from engine.core.mesh import Port
from engine.networks.env import NetworksEnv
from engine.networks.overlay_state import Flow
from engine.networks.record import SandboxRecord
from engine.networks.sandbox import HOST, INGRESS_SANDBOX

log = structlog.get_logger(__name__)


async def forget_flows(
    env: NetworksEnv, records: Iterable[SandboxRecord], addresses: Collection[str]
) -> None:
    """Let datagrams that these sandboxes go on sending to who is gone find another target.

    What has no socket now, and sends from the same port again, finds one when flows are aged.
    """
    own, passing = _paths(env, records)
    await _forget(env, own, addresses, by_sockets=True)
    await _forget(env, passing, addresses)


async def forget_flows_of(env: NetworksEnv, record: SandboxRecord) -> None:
    """Forget what the host leads to a sandbox that is gone: its addresses may be another's soon."""
    protocols = {each.protocol for each in record.publications}
    if any(each.is_hidden for each in record.endpoints):
        protocols |= {protocol for protocol, _ in env.overlay.state.published_ports}
    if "udp" in protocols:
        settings = [each.settings for each in record.endpoints]
        own = [each for its in settings for each in (its.IPAddress, its.GlobalIPv6Address)]
        await _forget(env, [HOST], [each for each in own if each])


def retire_targets(
    env: NetworksEnv,
    network_id: str,
    before: Mapping[str, Mapping[str, int]],
    after: Mapping[str, Mapping[str, int]],
) -> None:
    """Note who was a target on a network and is none; by virtual address."""
    had = {target for targets in before.values() for target in targets}
    has = {target for targets in after.values() for target in targets}
    state = env.overlay.state
    state.retired |= {Flow(network_id, each) for each in had - has}
    state.forgive(Flow(network_id, each) for each in has)


async def retire_published(
    env: NetworksEnv, port: Port, before: Collection[str], after: Collection[str]
) -> None:
    """Note whom the host led a published port to ("address . port"), and leads it to now.

    Flows to a container that is gone by now, whatever became of it, are forgotten at once.
    """
    if port[0] != "udp":
        return
    state = env.overlay.state
    flows = [_host_flow(each) for each in {*before} - {*after}]
    state.forgive(_host_flow(each) for each in after)
    present = {
        each
        for box in env.store.all_sandboxes()
        for its in (endpoint.settings for endpoint in box.endpoints)
        for each in (its.IPAddress, its.GlobalIPv6Address)
    }
    state.retired |= {each for each in flows if each.address in present}
    lost = [each.address for each in flows if each.address not in present]
    if lost:
        await _forget(env, [HOST], lost)


async def age_flows(env: NetworksEnv) -> None:
    """Forget the flows to targets that had been taken out when this was called the last time."""
    state = env.overlay.state
    old, state.retired_before, state.retired = state.retired_before, state.retired, set()
    by_network: dict[str, list[str]] = {}
    for flow in sorted(old):
        if not flow.network_id:
            await _forget(env, [HOST], [flow.address], flow.port)
        else:
            by_network.setdefault(flow.network_id, []).append(flow.address)
    for network_id, addresses in by_network.items():
        own, passing = _paths(env, env.store.sandboxes_on(network_id))
        await _forget(env, [*own, *passing], addresses)


def _host_flow(target: str) -> Flow:
    address, _, port = target.partition(" . ")
    return Flow("", address, int(port))


def _paths(env: NetworksEnv, records: Iterable[SandboxRecord]) -> tuple[list[str], list[str]]:
    """Return where containers send, and the ingress sandbox if datagrams may pass through it."""
    ids = [each.container_id for each in records]
    own = [env.links.namespace_path(each) for each in ids if each != INGRESS_SANDBOX]
    may_pass = INGRESS_SANDBOX in ids and any(
        protocol == "udp" for protocol, _ in env.overlay.state.published_ports
    )
    return own, [env.links.namespace_path(INGRESS_SANDBOX)] if may_pass else []


async def _forget(
    env: NetworksEnv,
    paths: Sequence[str],
    addresses: Collection[str],
    port: int = 0,
    *,
    by_sockets: bool = False,
) -> None:
    if not paths:
        return
    failed = await env.overlay.balancers.forget_datagrams(
        paths, addresses, port, by_sockets=by_sockets
    )
    for path, error in failed.items():
        log.warning("network.flows_remain", place=path, error=error.message)
