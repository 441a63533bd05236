"""A registry that wants bearer tokens, and the server that gives them, on one loopback port."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web


@dataclass
class TokenRegistry:
    """Holds answers by path; what it was sent is in `seen`, as (path and query, Authorization)."""

    user: str
    password: str
    answers: Mapping[str, web.Response | str | bytes] = field(default_factory=dict)
    content_types: Mapping[str, str] = field(default_factory=dict)
    seen: list[tuple[str, str]] = field(default_factory=list)
    is_open: bool = False
    realm: str = ""
    host: str = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        authorization = request.headers.get("Authorization", "")
        self.seen.append((request.path_qs, authorization))
        if request.path == "/token":
            return await self._token(request, authorization)
        is_open = self.is_open or request.path.startswith("/elsewhere")
        if not is_open and authorization != "Bearer good":
            realm = self.realm or f"http://{self.host}/token"
            challenge = f'Bearer realm="{realm}",service="test",scope="repository:x:pull"'
            return web.Response(status=401, headers={"WWW-Authenticate": challenge})
        found = self.answers.get(request.path)
        if isinstance(found, str):
            return web.Response(status=307, headers={"Location": found})
        if isinstance(found, bytes):
            kind = self.content_types.get(request.path, "application/octet-stream")
            return web.Response(body=found, content_type=kind)
        return web.Response(status=404)

    async def _token(self, request: web.Request, authorization: str) -> web.Response:
        pair = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        by_refresh = request.method == "POST" and (await request.post())["refresh_token"] == "kept"
        if not by_refresh and authorization != f"Basic {pair}":
            return web.json_response({"details": "no"}, status=401)
        answer = {"token": "good", "expires_in": 300}
        if "offline_token" in request.query:
            answer["refresh_token"] = "kept"
        return web.json_response(answer)


@asynccontextmanager
async def serve_tokens(user: str, password: str) -> AsyncIterator[TokenRegistry]:
    """Serve on a free loopback port while the block runs."""
    registry = TokenRegistry(user, password)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", registry.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    registry.host = f"127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield registry
    finally:
        await runner.cleanup()
