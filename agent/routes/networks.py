"""Networks over HTTP on a node that may be a manager: in front of the engine's own routes."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from agent.networks import (
    NodeNetworks,
    create_any,
    inspect_any,
    list_all,
    prune_all,
    remove_any,
)
from api.http.bodies import Answer, Empty, body
from api.http.query import Query
from api.types.networks import NetworkCreateRequest
from engine.containers.uses import networks_in_use
from engine.networks.overlay_examine import examine
from engine.routes.envs import Containers

router = APIRouter()


async def _from_app(request: Request) -> NodeNetworks:
    env: NodeNetworks = request.app.state.node_networks
    return env


Networks = Annotated[NodeNetworks, Depends(_from_app)]


@router.get("/networks")
async def get_networks(env: Networks, query: Query) -> Answer:
    """List the networks of the node, and on a manager those of the cluster."""
    return Answer(await list_all(env, query.filters()))


@router.post("/networks/create")
async def create_network(
    env: Networks, wanted: Annotated[NetworkCreateRequest, body(NetworkCreateRequest)]
) -> Answer:
    """Create a network, on a manager also one of the cluster."""
    return Answer(await create_any(env, wanted), status=201)


@router.post("/networks/prune")
async def prune_networks(env: Networks, engine: Containers, query: Query) -> Answer:
    """Remove the networks that nothing uses."""
    in_use = set(networks_in_use(engine.store))
    return Answer(await prune_all(env, query.filters(), in_use))


@router.get("/skep/networks/differences")
async def get_differences(env: Networks) -> Answer:
    """Compare the node's overlay networks with what the managers told of them."""
    return Answer(await examine(env.engine))


@router.get("/networks/{ref}")
async def get_network(ref: str, env: Networks, query: Query) -> Answer:
    """Show one network with its containers on this node."""
    scope, is_verbose = query.text("scope"), query.boolean("verbose")
    return Answer(await inspect_any(env, ref, scope=scope, is_verbose=is_verbose))


@router.delete("/networks/{ref}")
async def remove_network(ref: str, env: Networks) -> Empty:
    """Remove a network: 403 when predefined or in use."""
    await remove_any(env, ref)
    return Empty()
