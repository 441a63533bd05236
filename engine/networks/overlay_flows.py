"""Flows that are led to who gets nothing new: forgotten, so that they find another or are refused.

Connection tracking keeps a flow where it is for as long as its client sends. So one whose target is
gone is forgotten. One whose target was taken out of its service has time to end: a task that ends
has its grace period, but that of a lost node is a member for as long as nobody knows what became of
it. Datagrams have some time, streams as long as they are answered. What a client goes on sending
begins anew: datagrams and beginnings of streams go to another target, the rest of a stream is
refused.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import structlog

from engine.core.mesh import Port
from engine.networks.env import NetworksEnv
from engine.networks.overlay_state import Flow
from engine.networks.record import SandboxRecord
from engine.networks.sandbox import HOST, INGRESS_SANDBOX
from engine.ports.flows import Doomed

log = structlog.get_logger(__name__)


async def forget_flows(env: NetworksEnv, network_id: str, addresses: Collection[str]) -> None:
    """Let what is still sent to who is gone from a network find another target, or be refused.

    What has no socket now, and sends from the same port again, finds one when flows are aged; so do
    streams on which nothing is sent now.
    """
    state = env.overlay.state
    for each in addresses:
        state.retired.pop(Flow(network_id, each), None)
        state.gone[Flow(network_id, each)] = 0
    await _forget_on(env, network_id, addresses, Doomed.ALL, by_sockets=True)


async def forget_flows_of(env: NetworksEnv, record: SandboxRecord) -> None:
    """Forget what the host leads to a sandbox that is gone: its addresses may be another's soon."""
    protocols = {each.protocol for each in record.publications} & {"udp"}
    if any(each.is_hidden for each in record.endpoints):
        protocols |= {protocol for protocol, _ in env.overlay.state.published_ports}
    if protocols:
        await _forget(env, [HOST], _addresses(record), _all_of(protocols))


def retire_targets(
    env: NetworksEnv,
    network_id: str,
    before: Mapping[str, Mapping[str, int]],
    after: Mapping[str, Mapping[str, int]],
) -> None:
    """Note who was a target on a network and is none; by virtual address."""
    had = {target for targets in before.values() for target in targets}
    has = {target for targets in after.values() for target in targets}
    _retire(env, (Flow(network_id, each) for each in had - has))
    env.overlay.state.forgive(Flow(network_id, each) for each in has)


async def retire_published(
    env: NetworksEnv, port: Port, before: Collection[str], after: Collection[str]
) -> None:
    """Note whom the host led a published port to ("address . port"), and leads it to now.

    Flows to a container that is gone by now, whatever became of it, are forgotten at once.
    """
    flows = [_host_flow(each) for each in {*before} - {*after}]
    env.overlay.state.forgive(_host_flow(each) for each in after)
    present = {each for box in env.store.all_sandboxes() for each in _addresses(box)}
    # A container of this node that is still there answers streams, or ends them.
    if port[0] == "udp":
        _retire(env, (each for each in flows if each.address in present))
    elif has_left := [each.address for each in flows if each.address in _of_sandbox(env)]:
        # What begins there would be refused, though tasks of this node may be left.
        await _forget(env, [HOST], has_left, Doomed.BEGUN, port[1])
    lost = [each.address for each in flows if each.address not in present]
    if lost:
        await _forget(env, [HOST], lost, _all_of({port[0]}))


async def look_at_flows(env: NetworksEnv) -> None:
    """Forget the streams to targets that were taken out a short time ago and do not answer."""
    state = env.overlay.state
    young = [flow for flow, age in state.retired.items() if age <= 1]
    for network_id, addresses in _by_network(young).items():
        await _forget_on(env, network_id, addresses, Doomed.STUCK, by_sockets=True)
    for network_id, addresses in _by_network(state.gone).items():
        await _forget_on(env, network_id, addresses, Doomed.STREAMS, by_sockets=True)


async def age_flows(env: NetworksEnv) -> None:
    """Forget the flows to targets that had been taken out when this was called the last time.

    Those of datagrams, and of streams that nobody answers; and all to targets that were gone.
    """
    state = env.overlay.state
    young = [flow for flow, age in state.retired.items() if age == 1]
    old = [flow for flow, age in state.retired.items() if age > 1]
    gone = [flow for flow, age in state.gone.items() if age == 1]
    state.retired = {flow: age + 1 for flow, age in state.retired.items()}
    state.gone = {flow: age + 1 for flow, age in state.gone.items() if flow not in gone}
    for flow in young:
        if not flow.network_id:
            state.retired.pop(flow, None)
            await _forget(env, [HOST], [flow.address], Doomed.DATAGRAMS, flow.port)
    for network_id, addresses in _by_network(young).items():
        await _forget_on(env, network_id, addresses, Doomed.DATAGRAMS | Doomed.STUCK)
    for network_id, addresses in _by_network(old).items():
        await _forget_on(env, network_id, addresses, Doomed.STUCK, by_sockets=True)
    for network_id, addresses in _by_network(gone).items():
        await _forget_on(env, network_id, addresses, Doomed.ALL)


def _of_sandbox(env: NetworksEnv) -> list[str]:
    box = env.store.sandbox(INGRESS_SANDBOX)
    return _addresses(box) if box is not None else []


def _addresses(box: SandboxRecord) -> list[str]:
    settings = [each.settings for each in box.endpoints]
    found = [each for its in settings for each in (its.IPAddress, its.GlobalIPv6Address)]
    return [each for each in found if each]


def _retire(env: NetworksEnv, flows: Iterable[Flow]) -> None:
    for each in flows:
        env.overlay.state.retired.setdefault(each, 0)


def _by_network(flows: Iterable[Flow]) -> dict[str, list[str]]:
    """Return the addresses by network, without what is led by the host."""
    found: dict[str, list[str]] = {}
    for flow in flows:
        if flow.network_id:
            found.setdefault(flow.network_id, []).append(flow.address)
    return found


def _all_of(protocols: Collection[str]) -> Doomed:
    datagrams = Doomed.DATAGRAMS if "udp" in protocols else Doomed(0)
    return datagrams | (Doomed.STREAMS if {*protocols} - {"udp"} else Doomed(0))


def _host_flow(target: str) -> Flow:
    address, _, port = target.partition(" . ")
    return Flow("", address, int(port))


async def _forget_on(
    env: NetworksEnv,
    network_id: str,
    addresses: Collection[str],
    doomed: Doomed,
    *,
    by_sockets: bool = False,
) -> None:
    """Forget flows by way of a network: where containers send, and in the ingress sandbox."""
    ids = [each.container_id for each in env.store.sandboxes_on(network_id)]
    own = [env.links.namespace_path(each) for each in ids if each != INGRESS_SANDBOX]
    await _forget(env, own, addresses, doomed, by_sockets=by_sockets)
    if INGRESS_SANDBOX in ids and env.overlay.state.published_ports:
        passing = [env.links.namespace_path(INGRESS_SANDBOX)]
        await _forget(env, passing, addresses, doomed)


async def _forget(
    env: NetworksEnv,
    paths: Sequence[str],
    addresses: Collection[str],
    doomed: Doomed,
    port: int = 0,
    *,
    by_sockets: bool = False,
) -> None:
    if not paths or not addresses:
        return
    failed = await env.overlay.flows.forget(paths, addresses, doomed, port, by_sockets=by_sockets)
    for path, error in failed.items():
        log.warning("network.flows_remain", place=path, error=error.message)
