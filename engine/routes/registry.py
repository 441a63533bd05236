"""Registries over HTTP: checking credentials, looking at an image before it is pulled."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request

from api.http.bodies import Answer, body
from api.types.registry import AuthConfig
from engine.core.auth import auth_from_header
from engine.images.distribution import distribution
from engine.images.login import login
from engine.routes.envs import Images

router = APIRouter()


@router.post("/auth")
async def post_auth(env: Images, auth: Annotated[AuthConfig, body(AuthConfig)]) -> Answer:
    """Check credentials: 401 when the registry does not take them."""
    return Answer(await login(env, auth))


@router.get("/distribution/{name:path}/json")
async def get_distribution(request: Request, env: Images, name: str) -> Answer:
    """Describe an image in its registry: digest, size, platforms."""
    auth = auth_from_header(request.headers.get("x-registry-auth", ""))
    return Answer(await distribution(env, name, auth))
