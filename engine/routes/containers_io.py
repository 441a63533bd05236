"""What a container says and hears: logs, attach, resize, top."""

from __future__ import annotations

import re

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.errors import InvalidArgument
from api.http.bodies import Answer, Empty, StreamAnswer
from api.http.hijack import Upgraded
from api.http.query import Arguments, Query
from api.http.stream_type import stream_media_type
from api.http.websocket import WebSocketUpgraded, handshake_key
from api.types.containers import ContainerTopResponse
from api.versions import version_of
from engine.containers.attach import AttachQuery, attach
from engine.containers.logs import logs
from engine.containers.resize import resize
from engine.containers.top import top
from engine.core.logline import LogQuery
from engine.core.timestamps import parse_moment
from engine.routes.envs import Containers

router = APIRouter()

# Before, a websocket always had all three streams.
_STREAMS_CHOSEN = (1, 42)

_COUNT = re.compile(r"[0-9]{1,18}")


@router.get("/containers/{ref}/logs")
async def container_logs(request: Request, ref: str, query: Query, env: Containers) -> Response:
    """Stream a container's log: 400 without a stream, 501 if the log driver cannot be read."""
    chunks = await logs(
        env,
        ref,
        _log_query(query),
        follow=query.boolean("follow"),
        details=query.boolean("details"),
    )
    tty = env.store.resolve(ref).config.Tty
    return StreamAnswer(chunks, media_type=stream_media_type(tty=tty, version=version_of(request)))


def _log_query(query: Arguments) -> LogQuery:
    tail = query.text("tail")
    return LogQuery(
        stdout=query.boolean("stdout"),
        stderr=query.boolean("stderr"),
        since_ns=_moment(query, "since"),
        until_ns=_moment(query, "until"),
        timestamps=query.boolean("timestamps"),
        tail=int(tail) if _COUNT.fullmatch(tail) else None,
    )


def _moment(query: Arguments, name: str) -> int:
    text = query.text(name)
    return parse_moment(text) if text else 0


@router.post("/containers/{ref}/attach")
async def attach_container(request: Request, ref: str, query: Query, env: Containers) -> Response:
    """Hand the connection over to a container's stdio: 409 while it is paused or restarting."""
    wanted = AttachQuery(
        logs=query.boolean("logs"),
        stream=query.boolean("stream"),
        stdin=query.boolean("stdin"),
        stdout=query.boolean("stdout"),
        stderr=query.boolean("stderr"),
        detach_keys=query.text("detachKeys"),
    )
    attachment = await attach(env, ref, wanted)
    media_type = stream_media_type(tty=attachment.tty, version=version_of(request))
    return Upgraded(attachment.serve, media_type)


@router.get("/containers/{ref}/attach/ws")
async def attach_websocket(request: Request, ref: str, query: Query, env: Containers) -> Response:
    """Carry a container's stdio in a websocket: 400 if the request is no handshake."""
    chooses = version_of(request) >= _STREAMS_CHOSEN
    wanted = AttachQuery(
        logs=query.boolean("logs"),
        stream=query.boolean("stream"),
        stdin=query.boolean("stdin") or not chooses,
        stdout=query.boolean("stdout") or not chooses,
        stderr=query.boolean("stderr") or not chooses,
        detach_keys=query.text("detachKeys"),
        framed=False,
    )
    key = handshake_key(request)
    return WebSocketUpgraded((await attach(env, ref, wanted)).serve, key)


@router.post("/containers/{ref}/resize")
async def resize_container(ref: str, query: Query, env: Containers) -> Response:
    """Set the size of a container's terminal: 409 if it does not run."""
    await resize(env, ref, *terminal_size(query))
    return Empty(200)


@router.get("/containers/{ref}/top")
async def container_top(ref: str, query: Query, env: Containers) -> Response:
    """List a container's processes: 409 if it does not run, 400 if `ps` refuses the arguments."""
    table = await top(env, ref, query.text("ps_args"))
    return Answer(ContainerTopResponse(Titles=table.titles, Processes=table.rows))


def terminal_size(query: Arguments) -> tuple[int, int]:
    """Return height and width in characters. Errors: InvalidArgument when one is missing."""
    for name in ("h", "w"):
        if not query.text(name):
            raise InvalidArgument(
                f'invalid resize {"height" if name == "h" else "width"} "": invalid syntax'
            )
    return query.integer("h"), query.integer("w")
