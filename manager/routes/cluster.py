"""What operators ask of the managers, beside Docker's API."""

from __future__ import annotations

from fastapi import APIRouter

from api.http.bodies import Answer, StreamAnswer
from manager.cluster.backup import back_up
from manager.cluster.events import stream_events
from manager.cluster.status import cluster_status
from manager.routes.envs import Manager

router = APIRouter()

KEY_HEADER = "Skep-Backup-Key"


@router.get("/cluster/status")
async def get_status(env: Manager) -> Answer:
    """Show the managers: who leads, how far each is, who is missing."""
    return Answer(await cluster_status(env))


@router.get("/cluster/backup")
async def get_backup(env: Manager) -> StreamAnswer:
    """Send the whole state as a file; its key stands in a header and is kept nowhere."""
    key, pieces = await back_up(env)
    return StreamAnswer(pieces, media_type="application/octet-stream", headers={KEY_HEADER: key})


@router.get("/cluster/events")
async def get_events(env: Manager) -> StreamAnswer:
    """Send what happens to nodes, services, networks, secrets and configs, as JSON lines."""
    return StreamAnswer(stream_events(env), media_type="application/x-ndjson")
