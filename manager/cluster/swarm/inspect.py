"""Show the swarm."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from api.types.swarm import ClusterInfo, PeerNode, Swarm, SwarmInfo
from manager.cluster.env import ClusterEnv
from manager.cluster.swarm.render import to_info, to_swarm
from manager.cluster.swarm.state import the_cluster


async def inspect_swarm(env: ClusterEnv) -> Swarm:
    """Return the swarm with its tokens."""
    return to_swarm(the_cluster(env.store.view().clusters))


async def describe_swarm(env: ClusterEnv) -> SwarmInfo:
    """Return what this manager adds to `docker info`, from its own memory; it never fails.

    The agent knows its own address and state, and puts them in.
    """
    view = env.store.view()
    cluster: ClusterInfo | UnsetType = next((to_info(each) for each in view.clusters), UNSET)
    managers = [node for node in view.nodes.by(membership="manager") if node.manager is not None]
    return SwarmInfo(
        NodeID=env.node_id,
        ControlAvailable=True,
        LocalNodeState="active",
        RemoteManagers=[
            PeerNode(NodeID=node.id, Addr=node.manager.address)
            for node in managers
            if node.manager is not None
        ],
        Nodes=len(view.nodes),
        Managers=len(managers),
        Cluster=cluster,
    )
