"""Whether this manager lives, and whether it can serve; and what is measured of it."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from api.http.bodies import Answer
from manager.cluster.readiness import check_ready
from manager.routes.envs import Manager

router = APIRouter()


@router.get("/health/live")
async def live() -> Answer:
    """Answer: who hears this knows that the process serves."""
    return Answer({"status": "live"})


@router.get("/health/ready")
async def ready(env: Manager) -> Answer:
    """Say whether requests can be served: 503 while locked, or without a leader."""
    await check_ready(env)
    return Answer({"status": "ready"})


@router.get("/metrics")
async def metrics(env: Manager) -> Response:
    """Return the measurements in Prometheus' form."""
    return Response(env.metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8")
