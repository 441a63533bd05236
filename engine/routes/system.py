"""The system over HTTP: ping, version, info, events, disk usage."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from api.http.bodies import Answer, StreamAnswer, Whole
from api.http.query import Query
from api.types.system import BuildPruneReport
from api.versions import version_of
from engine.events.stream import EventQuery, EventStream
from engine.routes.envs import System
from engine.system.disk_usage import disk_usage, legacy_disk_usage
from engine.system.info import info
from engine.system.version import version

router = APIRouter()

# Builder 1: there is no BuildKit here, clients must not try it first.
_PING_HEADERS = (
    b"content-type: text/plain; charset=utf-8\r\n"
    b"content-length: %d\r\n"
    b"builder-version: 1\r\n"
    b"cache-control: no-cache, no-store, must-revalidate\r\n"
    b"pragma: no-cache\r\n"
    b"swarm: %b\r\n"
)
_LEGACY_UNTIL = (1, 52)
_LINES = ("application/jsonl", "application/x-ndjson")


async def ping(request: Request) -> Response:
    """Answer OK; what a client wants to know stands in the headers."""
    body = b"" if request.method == "HEAD" else b"OK"
    state = request.app.state.system_env.cluster.ping_state()
    return Whole(200, _PING_HEADERS % (len(body), state.encode()), body)


# A plain route: the busiest one needs none of what FastAPI adds.
router.add_route("/_ping", ping, methods=["GET", "HEAD"])


@router.get("/version")
async def get_version(env: System) -> Answer:
    """Say which version answers."""
    return Answer(await version(env))


@router.get("/info")
async def get_info(env: System) -> Answer:
    """Describe the engine and its machine."""
    return Answer(await info(env))


@router.get("/events")
async def get_events(request: Request, env: System, query: Query) -> StreamAnswer:
    """Stream events as JSON lines."""
    wanted = EventQuery(
        since_ns=query.timestamp_ns("since"),
        until_ns=query.timestamp_ns("until"),
        wanted=query.filters(),
        legacy=version_of(request) < _LEGACY_UNTIL,
    )
    accepted = request.headers.get("accept", "")
    media_type = next((each for each in _LINES if each in accepted), "application/json")
    return StreamAnswer(EventStream(env.events, env.clock, wanted), media_type=media_type)


@router.get("/system/df")
async def get_disk_usage(request: Request, env: System, query: Query) -> Answer:
    """Tell what objects take on disk."""
    kinds = query.texts("type")
    version = version_of(request)
    if version < _LEGACY_UNTIL:
        return Answer(await legacy_disk_usage(env, kinds, version))
    return Answer(await disk_usage(env, kinds, version, is_verbose=query.boolean("verbose")))


@router.post("/build/prune")
async def prune_build_cache() -> Answer:
    """Remove the build cache: there is none; `docker system prune` asks all the same."""
    return Answer(BuildPruneReport())
