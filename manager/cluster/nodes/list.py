"""List nodes."""

from __future__ import annotations

from api.filters import Filters
from api.types.nodes import Node
from manager.cluster.env import ClusterEnv
from manager.cluster.nodes.filters import NodeFilters
from manager.cluster.nodes.render import by_node, to_api


async def list_nodes(env: ClusterEnv, filters: Filters) -> list[Node]:
    """Return the nodes that fit the filters. Errors: InvalidArgument."""
    wanted = NodeFilters(filters)
    members = by_node(await env.members.seen())
    return [to_api(node, members) for node in env.store.view().nodes if wanted.fits(node)]
