"""The swarm over HTTP: what managers answer of it. Init and join are the agent's."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter

from api.http.bodies import Answer, Empty, body
from api.http.query import Query
from api.swarm_errors import SwarmNotLocked
from api.types.swarm import SwarmSpec
from manager.cluster.swarm.inspect import describe_swarm, inspect_swarm
from manager.cluster.swarm.leave import leave
from manager.cluster.swarm.unlock_key import show_unlock_key
from manager.cluster.swarm.update import Rotations, update_swarm
from manager.routes.envs import Ask, Cluster
from manager.routes.versions import version_argument

router = APIRouter()


@router.get("/swarm")
async def get_swarm(env: Cluster) -> Answer:
    """Show the swarm with its join tokens."""
    return Answer(await inspect_swarm(env))


@router.post("/swarm/update")
async def post_swarm(
    env: Cluster, query: Query, spec: Annotated[SwarmSpec, body(SwarmSpec)]
) -> Empty:
    """Change the swarm's spec, and make tokens or the unlock key anew."""
    rotations = Rotations(
        worker_token=query.boolean("rotateWorkerToken"),
        manager_token=query.boolean("rotateManagerToken"),
        unlock_key=query.boolean("rotateManagerUnlockKey"),
    )
    await update_swarm(env, version_argument("swarm", query), spec, rotations)
    return Empty(200)


@router.get("/swarm/unlockkey")
async def get_unlock_key(env: Cluster) -> Answer:
    """Show the key that unlocks managers."""
    return Answer(await show_unlock_key(env))


@router.post("/swarm/leave")
async def post_leave(env: Cluster, ask: Ask, query: Query) -> Empty:
    """Let this manager go: 503 without `force`, which says what is at stake."""
    await leave(env, ask, force=query.boolean("force"))
    return Empty(200)


@router.get("/info")
async def get_info(env: Cluster) -> Answer:
    """Show the swarm's part of `docker info`, as far as managers know it."""
    return Answer(await describe_swarm(env))


@router.post("/swarm/unlock")
async def post_unlock() -> Empty:
    """Refuse: a manager whose routes these are is open."""
    raise SwarmNotLocked
