"""Show one node."""

from __future__ import annotations

from api.types.nodes import Node
from manager.cluster.env import ClusterEnv
from manager.cluster.nodes.render import by_node, to_api
from manager.cluster.refs import resolve
from manager.core.store.tables import NODES


async def inspect_node(env: ClusterEnv, ref: str) -> Node:
    """Return the node with this id, host name or id prefix. Errors: NoSuchNode, AmbiguousRef."""
    node = resolve(NODES, env.store.view().nodes, ref)
    return to_api(node, by_node(await env.members.seen()))
