"""Who may send into the tunnels of this node's overlay networks: the nodes with members there."""

from __future__ import annotations

from collections.abc import Collection

import structlog

from api.errors import SkepError
from engine.core.difference_lines import difference_lines
from engine.core.tunnel_guard import TunnelGuard
from engine.networks.env import NetworksEnv
from engine.networks.record import NetworkRecord
from engine.networks.sandbox import HOST

log = structlog.get_logger(__name__)


async def guard_tunnels(env: NetworksEnv, network: NetworkRecord, nodes: Collection[str]) -> None:
    """Let these nodes send into a network's tunnels, and nobody else. Errors: Internal."""
    assert network.overlay is not None
    guard = env.overlay.state.guard
    vnis = [each.vni for each in network.overlay.tunnels]
    if guard is not None:
        text = guard.change(network.id, network.overlay.port, vnis, nodes)
        await _run(env, guard, text)
        return
    guard = env.overlay.state.guard = _new_guard(env)
    guard.change(network.id, network.overlay.port, vnis, nodes)
    await _run(env, guard, guard.whole())


async def unguard_tunnels(env: NetworksEnv, network_id: str) -> None:
    """Forget a network whose tunnels are gone; fine if it is not known. Errors: Internal."""
    guard = env.overlay.state.guard
    if guard is None:
        return
    text = guard.release(network_id)
    if guard.is_empty:
        env.overlay.state.guard = None
        text = guard.removal()
    await _run(env, guard, text)


async def sweep_guard(env: NetworksEnv) -> None:
    """After a start without overlay networks: take away what was guarded. Errors: Internal."""
    if env.overlay.state.guard is None:
        await env.overlay.balancers.run("host", HOST, _new_guard(env).removal())


async def examine_guard(env: NetworksEnv) -> list[str]:
    """Return every difference between the kernel and what is guarded, as a line each.

    Errors:  Internal.
    """
    guard = env.overlay.state.guard or _new_guard(env)
    present = await env.overlay.balancers.elements(HOST, guard.table)
    lines = difference_lines(guard.elements, present)
    found = [f"who may send into tunnels: {line}" for line in lines]
    held = await env.overlay.balancers.elements(HOST, env.settings.current.firewall_table)
    closed = {f"tunnel_ports {each}" for each in tunnel_ports(env)}
    missing = sorted(closed - held)
    return [*found, *(f"tunnels are open to containers: {each} is missing" for each in missing)]


def tunnel_ports(env: NetworksEnv) -> set[int]:
    """Return the UDP ports of tunnels, on this node and others, of networks that are known."""
    return {each.overlay.port for each in env.store.all() if each.overlay is not None}


async def _run(env: NetworksEnv, guard: TunnelGuard, text: str) -> None:
    if not text:
        return
    try:
        await env.overlay.balancers.run("host", HOST, text)
    except SkepError as error:
        log.warning("network.guard_made_anew", error=error.message)
        anew = guard.removal() if guard.is_empty else guard.whole()
        await env.overlay.balancers.run("host", HOST, anew)


def _new_guard(env: NetworksEnv) -> TunnelGuard:
    return TunnelGuard(f"{env.settings.current.firewall_table}-tunnels")
