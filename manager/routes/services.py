"""Services over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request

from api.errors import InvalidArgument
from api.http.bodies import Answer, Empty, body
from api.http.query import Arguments, Query
from api.types.services import ServiceSpec
from manager.cluster.services.create import create_service
from manager.cluster.services.inspect import inspect_service
from manager.cluster.services.list import list_services
from manager.cluster.services.remove import remove_service
from manager.cluster.services.update import AuthSource, roll_back_service, update_service
from manager.routes.envs import Cluster
from manager.routes.versions import version_argument

router = APIRouter()


@router.get("/services")
async def get_services(env: Cluster, query: Query) -> Answer:
    """List services."""
    found = await list_services(env, query.filters(), with_status=query.boolean("status"))
    return Answer(found)


@router.post("/services/create")
async def post_service(
    env: Cluster, request: Request, spec: Annotated[ServiceSpec, body(ServiceSpec)]
) -> Answer:
    """Make a service: 409 when another has its name."""
    auth = request.headers.get("x-registry-auth", "")
    return Answer(await create_service(env, spec, auth), status=201)


@router.get("/services/{ref}")
async def get_service(ref: str, env: Cluster, query: Query) -> Answer:
    """Show one service."""
    insert_defaults = query.boolean("insertDefaults")
    return Answer(await inspect_service(env, ref, insert_defaults=insert_defaults))


@router.delete("/services/{ref}")
async def delete_service(ref: str, env: Cluster) -> Empty:
    """Remove a service."""
    await remove_service(env, ref)
    return Empty(200)


@router.post("/services/{ref}/update")
async def post_service_update(
    ref: str,
    env: Cluster,
    query: Query,
    request: Request,
    spec: Annotated[ServiceSpec, body(ServiceSpec)],
) -> Answer:
    """Change a service; with `rollback=previous` take its last change back."""
    version = version_argument("service", query)
    match query.text("rollback"):
        case "" | "none":
            auth = _registry_auth(request, query)
            return Answer(await update_service(env, ref, version, spec, auth))
        case "previous":
            return Answer(await roll_back_service(env, ref, version))
        case other:
            raise InvalidArgument(f"unrecognized rollback option {other}")


def _registry_auth(request: Request, query: Arguments) -> str | AuthSource:
    """Return the credentials that came along, or whose are to be kept. Errors: InvalidArgument."""
    if auth := request.headers.get("x-registry-auth", ""):
        return auth
    try:
        return AuthSource(query.text("registryAuthFrom") or AuthSource.SPEC)
    except ValueError:
        raise InvalidArgument("unsupported registryAuthFrom value") from None
