"""Logs of services and tasks over HTTP."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.http.bodies import StreamAnswer
from api.http.query import Arguments, Query
from api.http.stream_type import stream_media_type
from api.types.logs import LogOptions
from api.versions import version_of
from manager.cluster.logs.read import (
    TaskLogsReading,
    line_count,
    moment_ns,
    read_service_logs,
    read_task_logs,
)
from manager.routes.envs import Cluster

router = APIRouter()


@router.get("/services/{ref}/logs")
async def get_service_logs(request: Request, ref: str, query: Query, env: Cluster) -> Response:
    """Stream the logs of a service's tasks: 400 without a stream, 404 if there is none."""
    return _answer(request, read_service_logs(env, ref, _options(query)))


@router.get("/tasks/{ref}/logs")
async def get_task_logs(request: Request, ref: str, query: Query, env: Cluster) -> Response:
    """Stream a task's log: 400 without a stream, 404 if there is none."""
    return _answer(request, read_task_logs(env, ref, _options(query)))


def _answer(request: Request, reading: TaskLogsReading) -> Response:
    media_type = stream_media_type(tty=reading.has_terminal, version=version_of(request))
    return StreamAnswer(reading.pieces, media_type=media_type)


def _options(query: Arguments) -> LogOptions:
    return LogOptions(
        follow=query.boolean("follow"),
        stdout=query.boolean("stdout"),
        stderr=query.boolean("stderr"),
        timestamps=query.boolean("timestamps"),
        details=query.boolean("details"),
        since_ns=moment_ns(query.text("since")),
        tail=line_count(query.text("tail")),
    )
