"""Tasks over HTTP."""

from __future__ import annotations

from fastapi import APIRouter

from api.http.bodies import Answer
from api.http.query import Query
from manager.cluster.tasks.list import inspect_task, list_tasks
from manager.routes.envs import Cluster

router = APIRouter()


@router.get("/tasks")
async def get_tasks(env: Cluster, query: Query) -> Answer:
    """List tasks."""
    return Answer(await list_tasks(env, query.filters()))


@router.get("/tasks/{ref}")
async def get_task(ref: str, env: Cluster) -> Answer:
    """Show one task."""
    return Answer(await inspect_task(env, ref))
