"""What a container uses, and how that is limited, over HTTP."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Annotated

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from api.errors import InvalidArgument
from api.http.bodies import Answer, StreamAnswer, body
from api.http.query import Query
from api.types.stats import ContainerStatsResponse
from api.types.update import ContainerUpdateRequest, ContainerUpdateResponse
from api.versions import version_of
from engine.containers.stats import stats_once, stats_stream
from engine.containers.update import update
from engine.routes.envs import Containers

router = APIRouter()

_OS_TYPE_SINCE = (1, 52)


@router.get("/containers/{ref}/stats", response_model=None)
async def container_stats(ref: str, request: Request, query: Query, env: Containers) -> Response:
    """Tell what a container uses: a line a second, or once with stream=0. 404."""
    is_stream = query.boolean("stream") if query.text("stream") else True
    one_shot = query.boolean("one-shot")
    if is_stream and one_shot:
        raise InvalidArgument("cannot have stream=true and one-shot=true")
    os_type = version_of(request) >= _OS_TYPE_SINCE
    if is_stream:
        return StreamAnswer(_lines(stats_stream(env, ref, os_type=os_type)))
    return Answer(await stats_once(env, ref, one_shot=one_shot, os_type=os_type))


@router.post("/containers/{ref}/update", response_model=None)
async def update_container(
    ref: str,
    env: Containers,
    request: Annotated[ContainerUpdateRequest, body(ContainerUpdateRequest)],
) -> Response:
    """Change limits and restart policy: 400, 404, 409 during removal."""
    return Answer(ContainerUpdateResponse(await update(env, ref, request)))


async def _lines(answers: AsyncGenerator[ContainerStatsResponse, None]) -> AsyncIterator[bytes]:
    async with aclosing(answers):
        async for each in answers:
            yield msgspec.json.encode(each) + b"\n"
