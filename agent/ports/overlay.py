"""The node's part of overlay networks: what the engine knows of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from agent.core.overlay_news import NetworkNews, OverlayKey
from api.types.cluster_networks import ClusterNetwork


class OverlayPlane(Protocol):
    """Overlay networks on this node. Errors of all: SkepError."""

    def known(self) -> set[str]:
        """Return the ids of the overlay networks that the engine knows."""
        ...

    def attached(self) -> set[tuple[str, str]]:
        """Return the ids of containers that are no tasks, and of the networks that they are on."""
        ...

    async def put(self, network: ClusterNetwork, node_address: str) -> None:
        """Know a network; this node's tunnels are at the address. Others than overlays pass."""
        ...

    async def drop(self, network_id: str) -> bool:
        """Forget a network; False while containers are on it.

        With the ingress network the node answers for no service any more.
        """
        ...

    async def look_at_flows(self) -> None:
        """Forget the flows to targets that were taken out a short time ago and do not answer."""
        ...

    async def age_flows(self) -> None:
        """Forget the flows of datagrams to targets that had been taken out at the last call.

        And all flows to those that were gone at the last call.
        """
        ...

    async def are_keys_worn(self) -> bool:
        """Tell whether this node has used its key so much that it needs the next."""
        ...

    async def set_keys(self, keys: Sequence[OverlayKey]) -> None:
        """Encrypt what goes between nodes on encrypted networks by these keys from now on."""
        ...

    async def apply(self, news: NetworkNews, node_id: str) -> None:
        """Take over what is new on a network that is known."""
        ...
