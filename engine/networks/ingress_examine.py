"""What a node has of the routing mesh, compared with what it was told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

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
    present_there = await slots(env.links.namespace_path(INGRESS_SANDBOX), SANDBOX_TABLE)
    return [
        *slot_lines("published on the host", _spelled(here), present_here),
        *slot_lines("published in the ingress sandbox", _spelled(there), present_there),
    ]


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
