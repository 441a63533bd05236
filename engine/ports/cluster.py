"""The node's place in a cluster, which the engine shows and otherwise knows nothing of."""

from __future__ import annotations

from typing import Protocol

from api.types.swarm import SwarmInfo


class Cluster(Protocol):
    """Told by whoever runs the engine as part of a cluster."""

    def ping_state(self) -> str:
        """Return what the `Swarm` header of GET /_ping says."""
        ...

    async def info(self) -> SwarmInfo:
        """Return what GET /info says of the swarm; never raises, and never waits for long."""
        ...


class NoCluster:
    """Fulfils `Cluster` where there is none."""

    def ping_state(self) -> str:
        """Return that the engine is alone."""
        return "inactive"

    async def info(self) -> SwarmInfo:
        """Return that the engine is alone."""
        return SwarmInfo()
