"""Volumes over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request

from api.errors import Unavailable
from api.http.bodies import Answer, Empty, body
from api.http.query import Query
from api.types.volumes import VolumeCreateRequest
from api.versions import version_of
from engine.routes.envs import Volumes
from engine.volumes.create import create
from engine.volumes.inspect import inspect, to_api
from engine.volumes.list import list_volumes
from engine.volumes.prune import prune
from engine.volumes.remove import remove

router = APIRouter()

_ANONYMOUS_SINCE = (1, 42)


class NotAManager(Unavailable):
    """Cluster volumes belong to a swarm's managers."""

    def __init__(self) -> None:
        super().__init__(
            'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" '
            "to connect this node to swarm and try again."
        )


@router.get("/volumes")
async def get_volumes(env: Volumes, query: Query) -> Answer:
    """List volumes."""
    return Answer(list_volumes(env, query.filters()))


@router.post("/volumes/create")
async def create_volume(
    env: Volumes, wanted: Annotated[VolumeCreateRequest, body(VolumeCreateRequest)]
) -> Answer:
    """Create a volume, or answer with the one of that name."""
    if wanted.ClusterVolumeSpec is not None:
        raise NotAManager
    record = await create(
        env,
        wanted.Name,
        driver=wanted.Driver,
        options=wanted.DriverOpts,
        labels=wanted.Labels,
    )
    return Answer(to_api(env, record), status=201)


@router.post("/volumes/prune")
async def prune_volumes(request: Request, env: Volumes, query: Query) -> Answer:
    """Remove unused volumes: before API 1.42 all of them, since then the anonymous ones."""
    is_all = version_of(request) < _ANONYMOUS_SINCE
    return Answer(await prune(env, query.filters(), is_all=is_all))


@router.get("/volumes/{name:path}")
async def get_volume(name: str, env: Volumes) -> Answer:
    """Show one volume."""
    return Answer(inspect(env, name))


@router.put("/volumes/{name:path}")
async def update_volume(name: str, env: Volumes) -> Answer:
    """Only cluster volumes can be changed."""
    raise NotAManager


@router.delete("/volumes/{name:path}")
async def remove_volume(name: str, env: Volumes, query: Query) -> Empty:
    """Remove a volume."""
    await remove(env, name, force=query.boolean("force"))
    return Empty()
