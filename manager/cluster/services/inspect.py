"""Show one service."""

from __future__ import annotations

from api.types.services import Service
from manager.cluster.env import ClusterEnv
from manager.cluster.services.refs import resolve_service
from manager.cluster.services.render import to_api


async def inspect_service(env: ClusterEnv, ref: str, *, insert_defaults: bool) -> Service:
    """Return the service with this id, name or id prefix. Errors: NoSuchService, AmbiguousRef."""
    service = resolve_service(env.store.view().services, ref)
    return to_api(service, insert_defaults=insert_defaults)
