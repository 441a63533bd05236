"""Networks of the cluster over HTTP; nodes put their own networks beside them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter

from api.http.bodies import Answer, Empty, body
from api.http.query import Query
from api.types.networks import NetworkCreateRequest
from manager.cluster.networks.create import create_network
from manager.cluster.networks.inspect import inspect_network
from manager.cluster.networks.list import list_networks
from manager.cluster.networks.remove import remove_network
from manager.routes.envs import Cluster

router = APIRouter()


@router.get("/networks")
async def get_networks(env: Cluster) -> Answer:
    """List the networks of the cluster."""
    return Answer(await list_networks(env))


@router.post("/networks/create")
async def post_network(
    env: Cluster, wanted: Annotated[NetworkCreateRequest, body(NetworkCreateRequest)]
) -> Answer:
    """Make a network of the cluster: 409 when another has its name."""
    return Answer(await create_network(env, wanted), status=201)


@router.get("/networks/{ref}")
async def get_network(ref: str, env: Cluster, query: Query) -> Answer:
    """Show one network of the cluster."""
    return Answer(await inspect_network(env, ref, is_verbose=query.boolean("verbose")))


@router.delete("/networks/{ref}")
async def delete_network(ref: str, env: Cluster) -> Empty:
    """Remove a network of the cluster: 400 while services are on it."""
    await remove_network(env, ref)
    return Empty()
