"""What a node has of the routing mesh, compared with what it was told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from engine.core.difference_lines import difference_lines
from engine.core.mesh import Port
from engine.networks.env import NetworksEnv
from engine.networks.ingress import SANDBOX_TABLE, host_mesh, published_targets
from engine.networks.overlay_space import known_overlay
from engine.networks.record import NetworkRecord
from engine.networks.sandbox import HOST, INGRESS_SANDBOX

Slots = Mapping[str, Mapping[str, int]]
"""Targets and their weights by what leads to them."""


async def examine_ingress(env: NetworksEnv, network: NetworkRecord) -> list[str]:
    """Return every difference of the ingress network's, as a line each. Errors: Internal."""
    if not known_overlay(env, network).is_told:
        return []
    if env.store.sandbox(INGRESS_SANDBOX) is None:
        return [f"network {network.name}: the node's sandbox on it is missing"]
    here, there = published_targets(env, network, env.overlay.state.published.values())
    slots = env.overlay.balancers.slots
    present_here = await slots(HOST, host_mesh(env).table)
    path = env.links.namespace_path(INGRESS_SANDBOX)
    present_there = await slots(path, SANDBOX_TABLE)
    return [
        *slot_lines("published on the host", _spelled(here), present_here),
        *await _refusals(env, "on the host", HOST, host_mesh(env).table, here),
        *slot_lines("published in the ingress sandbox", _spelled(there), present_there),
        *await _refusals(env, "in the ingress sandbox", path, SANDBOX_TABLE, there),
    ]


async def _refusals(
    env: NetworksEnv, place: str, path: str, table: str, ports: Iterable[Port]
) -> list[str]:
    """Return a line for each port that is not refused while nobody serves it, or no more ours."""
    elements = await env.overlay.balancers.elements(path, table)
    present = {each for each in elements if each.startswith("known ")}
    wanted = {f"known {protocol} . {port}" for protocol, port in ports}
    lines = difference_lines(wanted, present)
    return [f"known as published {place}: {each.removeprefix('known ')}" for each in lines]


def slot_lines(place: str, wanted: Slots, present: Slots) -> Iterator[str]:
    """Yield a line for everything that does not lead where it should."""
    for key in sorted(wanted.keys() | present.keys()):
        should = {target: weight for target, weight in wanted.get(key, {}).items() if weight}
        does = present.get(key, {})
        if should != does:
            yield f"{place}: {key} leads to {_told(does)}, should lead to {_told(should)}"


def _spelled(targets: Mapping[Port, Mapping[str, int]]) -> Slots:
    return {f"{protocol} . {port}": each for (protocol, port), each in targets.items()}


def _told(targets: Mapping[str, int]) -> str:
    return ", ".join(f"{each} ({weight})" for each, weight in sorted(targets.items())) or "nobody"
