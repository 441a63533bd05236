"""A cluster as the engine sees it: one overlay network, and places on it for containers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from api.errors import Internal
from engine.core.overlay import Tunnel
from engine.networks.overlay import OverlayNetwork, put_overlay
from engine.ports.attachments import Granted
from tests.fakes.node import Daemon

SHOP = OverlayNetwork(
    id="shop",
    name="shop_net",
    created_ns=1,
    tunnels=(Tunnel("10.0.7.0/24", 4097),),
    address="192.0.2.1",
    port=4789,
    mtu=1450,
    internal=True,
)


class Cluster:
    """Gives a place, with the network, to whoever asks; counts how often it is to look again."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.looks = 0
        self.wishes: list[str] = []
        self.failing = False
        self.asked = asyncio.Event()
        self.answer = asyncio.Event()
        self.answer.set()

    async def attach(
        self, container_id: str, network: str, names: Sequence[str], addresses: Sequence[str]
    ) -> Granted | None:
        """Return a place on the only network."""
        del container_id, names
        self.wishes += addresses
        self.asked.set()
        await self.answer.wait()
        await put_overlay(self.daemon.env.networks, SHOP)
        if self.failing:
            raise Internal("cut off")
        return Granted("shop", ("10.0.7.2",)) if network in {"shop", "shop_net"} else None

    def detached(self) -> None:
        """Count."""
        self.looks += 1
