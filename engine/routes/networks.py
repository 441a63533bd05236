"""Networks over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter

from api.http.bodies import Answer, Empty, body
from api.http.query import Query
from api.types.networks import (
    NetworkConnectRequest,
    NetworkCreateRequest,
    NetworkDisconnectRequest,
)
from engine.containers.connect import connect
from engine.containers.disconnect import disconnect
from engine.containers.uses import networks_in_use
from engine.networks.create import create
from engine.networks.inspect import inspect
from engine.networks.list import list_networks
from engine.networks.prune import prune
from engine.networks.remove import remove
from engine.routes.envs import Containers, Networks

router = APIRouter()


@router.get("/networks")
async def get_networks(env: Networks, query: Query) -> Answer:
    """List networks."""
    return Answer(await list_networks(env, query.filters()))


@router.post("/networks/create")
async def create_network(
    env: Networks, wanted: Annotated[NetworkCreateRequest, body(NetworkCreateRequest)]
) -> Answer:
    """Create a bridge network."""
    return Answer(await create(env, wanted), status=201)


@router.post("/networks/prune")
async def prune_networks(env: Containers, query: Query) -> Answer:
    """Remove the networks that no container uses, running or not."""
    return Answer(await prune(env.networks, query.filters(), networks_in_use(env.store)))


@router.post("/networks/{ref}/connect")
async def connect_network(
    ref: str,
    env: Containers,
    wanted: Annotated[NetworkConnectRequest, body(NetworkConnectRequest)],
) -> Empty:
    """Connect a container."""
    await connect(env, ref, wanted)
    return Empty(200)


@router.post("/networks/{ref}/disconnect")
async def disconnect_network(
    ref: str,
    env: Containers,
    wanted: Annotated[NetworkDisconnectRequest, body(NetworkDisconnectRequest)],
) -> Empty:
    """Disconnect a container."""
    await disconnect(env, ref, wanted)
    return Empty(200)


@router.get("/networks/{ref}")
async def get_network(ref: str, env: Networks) -> Answer:
    """Show one network with its containers."""
    return Answer(await inspect(env, ref))


@router.delete("/networks/{ref}")
async def remove_network(ref: str, env: Networks) -> Empty:
    """Remove a network: 403 when predefined or in use."""
    await remove(env, ref)
    return Empty()
