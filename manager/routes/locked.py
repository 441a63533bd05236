"""What a manager answers that waits for its key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Request

from api.http.app import Api
from api.http.bodies import Answer, Empty, body
from api.swarm_errors import SwarmLocked
from api.types.swarm import SwarmUnlockRequest

Unlock = Callable[[str], Awaitable[None]]

_METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE"]


def locked_api(unlock: Unlock) -> Api:
    """Return the application of a locked manager: it unlocks, and refuses everything else."""
    router = APIRouter()

    @router.post("/swarm/unlock")
    async def post_unlock(
        wanted: Annotated[SwarmUnlockRequest, body(SwarmUnlockRequest)],
    ) -> Empty:
        await unlock(wanted.UnlockKey)
        return Empty(200)

    @router.get("/health/live")
    async def live() -> Answer:
        return Answer({"status": "live"})

    @router.api_route("/{rest:path}", methods=_METHODS)
    async def refuse(rest: str, request: Request) -> Answer:
        raise SwarmLocked

    app = Api()
    app.include_router(router)
    return app
