"""Commands in running containers."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.http.bodies import Answer, Empty, body
from api.http.hijack import Upgraded
from api.http.query import Query
from api.http.stream_type import stream_media_type
from api.types.exec import ExecCreateRequest, ExecStartRequest, IDResponse
from api.versions import version_of
from engine.containers.exec_create import exec_create
from engine.containers.exec_inspect import exec_inspect
from engine.containers.exec_resize import exec_resize
from engine.containers.exec_start import exec_start
from engine.routes.containers_io import terminal_size
from engine.routes.envs import Containers

router = APIRouter()

CreateBody = Annotated[ExecCreateRequest, body(ExecCreateRequest)]
StartBody = Annotated[ExecStartRequest, body(ExecStartRequest, optional=True)]


@router.post("/containers/{ref}/exec")
async def create_exec(ref: str, request: CreateBody, env: Containers) -> Response:
    """Prepare a command: 400 without one, 409 if the container does not run or is paused."""
    return Answer(IDResponse(Id=await exec_create(env, ref, request)), status=201)


@router.post("/exec/{exec_id}/start")
async def start_exec(http: Request, exec_id: str, request: StartBody, env: Containers) -> Response:
    """Run a command, detached or on this connection: 409 if it was started before."""
    session = await exec_start(env, exec_id, request)
    if session is None:
        return Empty(200)
    media_type = stream_media_type(tty=session.tty, version=version_of(http))
    return Upgraded(session.serve, media_type)


@router.post("/exec/{exec_id}/resize")
async def resize_exec(exec_id: str, query: Query, env: Containers) -> Response:
    """Set the size of a command's terminal."""
    await exec_resize(env, exec_id, *terminal_size(query))
    return Empty(200)


@router.get("/exec/{exec_id}/json")
async def inspect_exec(exec_id: str, env: Containers) -> Response:
    """Tell what a command is and how it ended."""
    return Answer(await exec_inspect(env, exec_id))
