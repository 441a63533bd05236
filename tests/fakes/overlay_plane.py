"""The engine's side of overlay networks, in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from agent.core.overlay_news import NetworkNews, OverlayKey
from agent.overlay import NodeOverlays
from api.errors import Internal
from api.types.cluster_networks import ClusterNetwork
from engine.ports.clock import Clock


class FakeOverlayPlane:
    """Fulfils `OverlayPlane`; networks in `used` are not dropped, news wait until it `is_free`.

    Those in `failing` cannot be had.
    """

    def __init__(self) -> None:
        self.networks: dict[str, ClusterNetwork] = {}
        self.applied: list[NetworkNews] = []
        self.used: set[str] = set()
        self.failing: set[str] = set()
        self.is_free = asyncio.Event()
        self.is_free.set()
        self.is_worn = False
        self.keys: list[tuple[OverlayKey, ...]] = []

    def known(self) -> set[str]:
        """Return what was put."""
        return set(self.networks)

    def attached(self) -> set[tuple[str, str]]:
        """Return nothing."""
        return set()

    async def put(self, network: ClusterNetwork, node_address: str) -> None:
        """Note a network."""
        del node_address
        self.networks[network.ID] = network

    async def drop(self, network_id: str) -> bool:
        """Forget it, unless it is used."""
        if network_id in self.used:
            return False
        self.networks.pop(network_id, None)
        return True

    async def look_at_flows(self) -> None:
        """Do nothing."""

    async def age_flows(self) -> None:
        """Do nothing."""

    async def are_keys_worn(self) -> bool:
        """Tell what a test says."""
        return self.is_worn

    async def set_keys(self, keys: Sequence[OverlayKey]) -> None:
        """Note the keys."""
        self.keys.append(tuple(keys))

    async def apply(self, news: NetworkNews, node_id: str) -> None:
        """Note what is new."""
        del node_id
        await self.is_free.wait()
        if news.network_id in self.failing:
            raise Internal("no room in the kernel")
        self.applied.append(news)


def idle_overlays(clock: Clock) -> NodeOverlays:
    """Return the overlay networks of a node that has none."""
    return NodeOverlays(FakeOverlayPlane(), clock, lambda: "self", lambda: "10.0.0.2")
