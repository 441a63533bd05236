"""Events of containers on networks."""

from __future__ import annotations

from engine.networks.env import NetworksEnv
from engine.networks.record import EndpointRecord


def tell(env: NetworksEnv, action: str, endpoint: EndpointRecord, container_id: str) -> None:
    """Tell that a container was connected to or disconnected from a network."""
    network = env.store.find(endpoint.network_id)
    kind = network.driver if network is not None else "bridge"
    attributes = {"container": container_id, "name": endpoint.network_name, "type": kind}
    env.events.publish("network", action, endpoint.network_id, attributes)
