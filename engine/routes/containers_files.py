"""The files of containers: cp both ways, export, diff, commit."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.http.bodies import Answer, Empty, StreamAnswer, body
from api.http.query import Query
from api.types.containers import ContainerConfig
from api.types.exec import IDResponse
from engine.containers.archive import PutOptions, get_archive, path_stat, put_archive
from engine.containers.changes import changes
from engine.containers.commit import CommitRequest, commit
from engine.containers.export import export
from engine.routes.envs import Containers

router = APIRouter()

_STAT = "X-Docker-Container-Path-Stat"
_TAR = "application/x-tar"


@router.head("/containers/{ref}/archive", response_model=None)
async def stat_path(ref: str, query: Query, env: Containers) -> Response:
    """Say in a header what is at a path of a container: 404."""
    return Response(headers={_STAT: await path_stat(env, ref, query.text("path"))})


@router.get("/containers/{ref}/archive", response_model=None)
async def read_path(ref: str, query: Query, env: Containers) -> Response:
    """Send a tar of what is at a path of a container: 404."""
    described, chunks = await get_archive(env, ref, query.text("path"))
    return StreamAnswer(chunks, _TAR, headers={_STAT: described})


@router.put("/containers/{ref}/archive", response_model=None)
async def write_path(request: Request, ref: str, query: Query, env: Containers) -> Response:
    """Unpack a tar in a directory of a container: 400 if it is none, 403 if read-only, 404."""
    options = PutOptions(
        no_overwrite_dir_non_dir=query.boolean("noOverwriteDirNonDir"),
        copy_uid_gid=query.boolean("copyUIDGID"),
    )
    await put_archive(env, ref, query.text("path"), request.stream(), options)
    return Empty(200)


@router.get("/containers/{ref}/export", response_model=None)
async def export_container(ref: str, env: Containers) -> Response:
    """Send a container's tree as a tar."""
    return StreamAnswer(await export(env, ref), "application/octet-stream")


@router.get("/containers/{ref}/changes", response_model=None)
async def container_changes(ref: str, env: Containers) -> Response:
    """List what differs from the image; null if nothing does."""
    return Answer(await changes(env, ref))


@router.post("/commit", response_model=None)
async def commit_container(
    query: Query,
    env: Containers,
    config: Annotated[ContainerConfig, body(ContainerConfig, optional=True)],
) -> Response:
    """Make an image of a container: 201 with its id, 404."""
    asked = CommitRequest(
        repository=query.text("repo"),
        tag=query.text("tag"),
        author=query.text("author"),
        comment=query.text("comment"),
        pause=query.boolean("pause", default=not query.text("pause")),
        changes=query.texts("changes"),
        config=config,
    )
    return Answer(IDResponse(Id=await commit(env, query.text("container"), asked)), status=201)
