"""The swarm over HTTP, as far as this node itself is concerned: how it comes in, how it goes."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from agent.swarm.env import SwarmEnv
from agent.swarm.init import init
from agent.swarm.join import join
from agent.swarm.leave import leave
from agent.swarm.restore import RestoreRequest, restore
from agent.swarm.unlock import unlock
from api.http.bodies import Answer, Empty, body
from api.http.query import Query
from api.types.swarm import SwarmInitRequest, SwarmJoinRequest, SwarmUnlockRequest

router = APIRouter()


async def _from_app(request: Request) -> SwarmEnv:
    env: SwarmEnv = request.app.state.swarm_env
    return env


Swarm = Annotated[SwarmEnv, Depends(_from_app)]


@router.post("/swarm/init")
async def init_swarm(
    env: Swarm, order: Annotated[SwarmInitRequest, body(SwarmInitRequest)]
) -> Answer:
    """Make a swarm with this node as its manager; answers the node's id."""
    return Answer(await init(env, order))


@router.post("/swarm/join")
async def join_swarm(
    env: Swarm, order: Annotated[SwarmJoinRequest, body(SwarmJoinRequest)]
) -> Empty:
    """Join a swarm."""
    await join(env, order)
    return Empty(200)


@router.post("/swarm/leave")
async def leave_swarm(env: Swarm, query: Query) -> Empty:
    """Leave the swarm."""
    await leave(env, force=query.boolean("force"))
    return Empty(200)


@router.post("/swarm/unlock")
async def unlock_swarm(
    env: Swarm, order: Annotated[SwarmUnlockRequest, body(SwarmUnlockRequest)]
) -> Empty:
    """Give the locked manager its key."""
    await unlock(env, order)
    return Empty(200)


@router.post("/cluster/restore")
async def restore_cluster(
    env: Swarm, order: Annotated[RestoreRequest, body(RestoreRequest)]
) -> Answer:
    """Make a swarm of a backup with this node as its manager; answers the node's id."""
    return Answer(await restore(env, order))
