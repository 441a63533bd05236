"""Images over HTTP."""

from __future__ import annotations

import msgspec
from fastapi import APIRouter, Request, Response

from api.errors import InvalidArgument, Unsupported
from api.http.bodies import Answer, Empty, Encoded, StreamAnswer, while_connected
from api.http.query import Query
from api.versions import understood, version_of
from engine.core.auth import auth_from_header
from engine.core.manifest import Platform
from engine.core.platform import normalized, parse_platform
from engine.images.history import history
from engine.images.import_ import ImportOrder, import_image
from engine.images.inspect import inspect
from engine.images.list import list_images, listing
from engine.images.load import load
from engine.images.opened import opened
from engine.images.prune import prune
from engine.images.pull import pull
from engine.images.push import push
from engine.images.remove import remove
from engine.images.save import save
from engine.images.search import search
from engine.images.tag import tag
from engine.routes.envs import Images

router = APIRouter()

_TAR = "application/x-tar"


@router.get("/images/json")
async def get_images(request: Request, env: Images, query: Query) -> Response:
    """List images."""
    shared = query.boolean("shared-size")
    version = version_of(request)
    wanted = query.filters()
    manifests = query.boolean("manifests")
    if not (wanted or shared or manifests):
        return Encoded(listing(env, version))
    found = list_images(env, wanted, shared_size=shared, manifests=manifests, version=version)
    return Answer(found)


@router.post("/images/create")
async def create_image(request: Request, env: Images, query: Query) -> Response:
    """Pull an image, or import one from a tar."""
    if query.text("fromImage"):
        auth = auth_from_header(request.headers.get("x-registry-auth", ""))
        lines = pull(env, query.text("fromImage"), query.text("tag"), query.text("platform"), auth)
        begun = await while_connected(request, lines)
        return StreamAnswer(await while_connected(request, opened(begun)))
    if query.text("fromSrc") != "-":
        raise Unsupported("importing from a URL is not supported: fetch the tar and send it as -")
    return StreamAnswer(await opened(import_image(env, request.stream(), _order(env, query))))


def _order(env: Images, query: Query) -> ImportOrder:
    text = query.text("platform")
    return ImportOrder(
        repository=query.text("repo"),
        tag=query.text("tag"),
        message=query.text("message"),
        changes=query.texts("changes"),
        platform=parse_platform(text, env.platform) if text else None,
    )


@router.post("/images/load")
async def load_images(request: Request, env: Images, query: Query) -> StreamAnswer:
    """Load the images of an archive."""
    platform = _platform(query)
    lines = load(env, request.stream(), quiet=query.boolean("quiet"), platform=platform)
    return StreamAnswer(await opened(lines))


@router.get("/images/get")
async def save_images(env: Images, query: Query) -> StreamAnswer:
    """Save several images as an archive."""
    return StreamAnswer(save(env, query.texts("names"), _platforms(query)), _TAR)


@router.get("/images/search")
async def search_images(request: Request, env: Images, query: Query) -> Answer:
    """Search a registry."""
    auth = auth_from_header(request.headers.get("x-registry-auth", ""))
    limit = query.integer("limit", 0)
    return Answer(await search(env, query.text("term"), limit, query.filters(), auth))


@router.post("/images/prune")
async def prune_images(env: Images, query: Query) -> Answer:
    """Remove unused images."""
    return Answer(await prune(env, query.filters()))


@router.get("/images/{name:path}/get")
async def save_image(name: str, env: Images, query: Query) -> StreamAnswer:
    """Save one image as an archive."""
    return StreamAnswer(save(env, [name], _platforms(query)), _TAR)


@router.get("/images/{name:path}/json")
async def get_image(name: str, request: Request, env: Images, query: Query) -> Answer:
    """Show one image."""
    platform, manifests = _platform(query), query.boolean("manifests")
    if manifests and platform:
        raise InvalidArgument("conflicting options: manifests and platform options cannot both be "
                              "set")  # fmt: skip
    version = understood(version_of(request), request.headers.get("user-agent", ""))
    return Answer(inspect(env, name, version=version, platform=platform, manifests=manifests))


@router.get("/images/{name:path}/history")
async def get_history(name: str, env: Images, query: Query) -> Answer:
    """Show how an image was made."""
    return Answer(history(env, name, _platform(query)))


@router.post("/images/{name:path}/tag")
async def tag_image(name: str, env: Images, query: Query) -> Empty:
    """Give an image another name."""
    await tag(env, name, query.text("repo"), query.text("tag"))
    return Empty(201)


@router.post("/images/{name:path}/push")
async def push_image(name: str, request: Request, env: Images, query: Query) -> StreamAnswer:
    """Push an image, or every tag of a repository."""
    auth = auth_from_header(request.headers.get("x-registry-auth", ""))
    lines = push(env, name, query.text("tag"), _platform(query), auth)
    return StreamAnswer(await opened(lines))


@router.delete("/images/{name:path}")
async def remove_image(name: str, env: Images, query: Query) -> Answer:
    """Remove an image or a name of it."""
    return Answer(await remove(env, name, force=query.boolean("force")))


def _platform(query: Query) -> Platform | None:
    """Return the `platform` argument. Errors: InvalidArgument."""
    found = _platforms(query)
    return found[0] if found else None


def _platforms(query: Query) -> list[Platform]:
    """Return the `platform` arguments, each of them JSON. Errors: InvalidArgument."""
    return [_read_platform(text) for text in query.texts("platform") if text]


def _read_platform(text: str) -> Platform:
    try:
        return normalized(msgspec.json.decode(text.encode(), type=Platform))
    except msgspec.MsgspecError as error:
        raise InvalidArgument(f"failed to parse platform: {error}") from error
