"""The life of containers over HTTP; what they say and hear is in containers_io."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from api.errors import InvalidArgument
from api.http.bodies import Answer, Empty, StreamAnswer, body
from api.http.query import Arguments, Query
from api.types.containers import (
    ContainerCreateRequest,
    ContainerCreateResponse,
    ContainerInspectResponse,
    ContainerSummary,
    ContainerWaitResponse,
)
from api.versions import version_of
from engine.containers.create import create
from engine.containers.inspect import inspect
from engine.containers.kill import kill
from engine.containers.list import list_containers
from engine.containers.pause import pause
from engine.containers.prune import ContainersPruned, prune
from engine.containers.remove import remove
from engine.containers.rename import rename
from engine.containers.restart import restart
from engine.containers.start import start
from engine.containers.stop import stop
from engine.containers.unpause import unpause
from engine.containers.wait import wait
from engine.routes.envs import Containers

router = APIRouter()

_HEALTH_IN_LIST = (1, 52)


@router.get("/containers/json", response_model=None)
async def list_all(request: Request, query: Query, env: Containers) -> Response:
    """List containers: 400 for filters that make no sense."""
    rows: list[ContainerSummary] = await list_containers(
        env,
        everything=query.boolean("all"),
        limit=query.integer("limit"),
        size=query.boolean("size"),
        wanted=query.filters(),
        health=version_of(request) >= _HEALTH_IN_LIST,
    )
    return Answer(rows)


@router.post("/containers/create", response_model=None)
async def create_container(
    query: Query,
    env: Containers,
    request: Annotated[ContainerCreateRequest, body(ContainerCreateRequest)],
) -> Response:
    """Create a container: 400, 404 (image), 409 (name)."""
    made: ContainerCreateResponse = await create(env, request, query.text("name"))
    return Answer(made, status=201)


@router.post("/containers/prune", response_model=None)
async def prune_containers(query: Query, env: Containers) -> Response:
    """Remove all containers that do not run."""
    pruned: ContainersPruned = await prune(env, query.filters())
    return Answer(pruned)


@router.get("/containers/{ref}/json", response_model=None)
async def inspect_container(ref: str, query: Query, env: Containers) -> Response:
    """Show a container: 404."""
    shown: ContainerInspectResponse = await inspect(env, ref, size=query.boolean("size"))
    return Answer(shown)


@router.post("/containers/{ref}/start", response_model=None)
async def start_container(ref: str, env: Containers) -> Response:
    """Start a container: 304 if it runs already, 404 if there is none, 409 during removal."""
    await start(env, ref)
    return Empty()


@router.post("/containers/{ref}/stop", response_model=None)
async def stop_container(ref: str, query: Query, env: Containers) -> Response:
    """Stop a container: 304 if it does not run, 404."""
    await stop(env, ref, timeout_s=_timeout(query), signal=query.text("signal"))
    return Empty()


@router.post("/containers/{ref}/restart", response_model=None)
async def restart_container(ref: str, query: Query, env: Containers) -> Response:
    """Stop and start a container: 404."""
    await restart(env, ref, timeout_s=_timeout(query), signal=query.text("signal"))
    return Empty()


@router.post("/containers/{ref}/kill", response_model=None)
async def kill_container(ref: str, query: Query, env: Containers) -> Response:
    """Signal a container: 404, 409 if it does not run."""
    await kill(env, ref, query.text("signal"))
    return Empty()


@router.post("/containers/{ref}/pause", response_model=None)
async def pause_container(ref: str, env: Containers) -> Response:
    """Freeze a container: 404, 409 if it does not run."""
    await pause(env, ref)
    return Empty()


@router.post("/containers/{ref}/unpause", response_model=None)
async def unpause_container(ref: str, env: Containers) -> Response:
    """Thaw a container: 404, 409 if it is not frozen."""
    await unpause(env, ref)
    return Empty()


@router.post("/containers/{ref}/rename", response_model=None)
async def rename_container(ref: str, query: Query, env: Containers) -> Response:
    """Rename a container: 404, 409 if the name is taken."""
    await rename(env, ref, query.text("name"))
    return Empty()


@router.post("/containers/{ref}/wait", response_model=None)
async def wait_for_container(ref: str, query: Query, env: Containers) -> Response:
    """Wait for an exit: the header is sent at once, the body when the condition is met."""
    return StreamAnswer(_when_met(wait(env, ref, query.text("condition"))))


@router.delete("/containers/{ref}", response_model=None)
async def remove_container(ref: str, query: Query, env: Containers) -> Response:
    """Remove a container: 404, 409 if it runs and force is not set."""
    if query.boolean("link"):
        raise InvalidArgument("links between containers are not supported; nothing to remove")
    await remove(env, ref, force=query.boolean("force"), volumes=query.boolean("v"))
    return Empty()


def _timeout(query: Arguments) -> int | None:
    return query.integer("t") if query.text("t") else None


async def _when_met(answer: Callable[[], Awaitable[ContainerWaitResponse]]) -> AsyncIterator[bytes]:
    yield msgspec.json.encode(await answer()) + b"\n"
