"""List the networks of the cluster."""

from __future__ import annotations

from api.types.networks import Network
from manager.cluster.env import ClusterEnv
from manager.cluster.networks.render import to_api


async def list_networks(env: ClusterEnv) -> list[Network]:
    """Return all of them; nodes filter them together with their own."""
    return [to_api(network) for network in env.store.view().networks]
