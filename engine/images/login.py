"""Check a user's credentials with a registry."""

from __future__ import annotations

from api.types.registry import AuthConfig, AuthResponse
from engine.core.auth import complete
from engine.images.env import ImagesEnv


async def login(env: ImagesEnv, auth: AuthConfig) -> AuthResponse:
    """Return what the registry says to the credentials; nothing is kept here.

    Errors:  LoginFailed (401), Internal (no answer).
    """
    return AuthResponse("Login Succeeded", await env.registry.login(complete(auth)))
