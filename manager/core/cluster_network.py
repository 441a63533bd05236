"""Networks of the cluster as nodes are told of them, and as tasks show them."""

from __future__ import annotations

from api.types.cluster_networks import ClusterNetwork
from api.types.objects import ObjectVersion
from manager.core.allocator.node_local import NODE_LOCAL
from manager.core.objects.network import Network
from manager.core.objects.times import to_api_time
from manager.core.store.query import View


def find_network(view: View, network_id: str) -> Network | None:
    """Return the network that a task is on: one of the cluster's, or one that every node has."""
    return NODE_LOCAL.get(network_id) or view.networks.get(network_id)


def network_to_api(network: Network) -> ClusterNetwork:
    """Return all that there is to tell of a network."""
    return ClusterNetwork(
        ID=network.id,
        Version=ObjectVersion(Index=network.meta.version_index),
        CreatedAt=to_api_time(network.meta.created_ns),
        UpdatedAt=to_api_time(network.meta.updated_ns),
        Spec=network.spec,
        DriverState=network.driver_state,
        IPAMOptions=network.ipam,
    )
