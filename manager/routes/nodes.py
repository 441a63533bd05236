"""Nodes over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter

from api.http.bodies import Answer, Empty, body
from api.http.query import Query
from api.types.nodes import NodeSpec
from manager.cluster.nodes.inspect import inspect_node
from manager.cluster.nodes.list import list_nodes
from manager.cluster.nodes.remove import remove_node
from manager.cluster.nodes.update import update_node
from manager.routes.envs import Cluster
from manager.routes.versions import version_argument

router = APIRouter()


@router.get("/nodes")
async def get_nodes(env: Cluster, query: Query) -> Answer:
    """List nodes."""
    return Answer(await list_nodes(env, query.filters()))


@router.get("/nodes/{ref}")
async def get_node(ref: str, env: Cluster) -> Answer:
    """Show one node."""
    return Answer(await inspect_node(env, ref))


@router.delete("/nodes/{ref}")
async def delete_node(ref: str, env: Cluster, query: Query) -> Empty:
    """Forget a node: 400 while it is up or a manager, unless forced."""
    await remove_node(env, ref, force=query.boolean("force"))
    return Empty(200)


@router.post("/nodes/{ref}/update")
async def post_node(
    ref: str, env: Cluster, query: Query, spec: Annotated[NodeSpec, body(NodeSpec)]
) -> Empty:
    """Replace a node's spec: role, availability, labels."""
    await update_node(env, ref, version_argument("node", query), spec)
    return Empty(200)
