"""What the local manager answers, as if the daemon did: requests and answers pass through whole."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from agent.core.standing import Standing, refusal
from agent.ports.manager_api import Header, Incoming, ManagerApi, Outgoing
from api.http.bodies import StreamAnswer, Whole, while_connected
from api.versions import spell, version_of

PREFIXES = ("swarm", "nodes", "services", "tasks", "secrets", "configs", "cluster")
# Those of which every request is answered by the manager alone, in one piece but for logs.
PLAIN = ("nodes", "services", "tasks", "secrets", "configs")
_METHODS = ["GET", "POST", "PUT", "DELETE"]
# Bodies up to this size are read before they are sent on, in one piece with their request.
_SMALL_BODY_BYTES = 256 << 10
# What the daemon says for itself in every answer.
_OWN_HEADERS = frozenset({b"api-version", b"docker-experimental", b"ostype", b"server", b"date"})
_BODILESS = frozenset({204, 304})
_SAFE = "/:@!$&'()*+,;=~"


@dataclass(frozen=True, slots=True)
class GatewayEnv:
    """What the gateway needs: the node's standing now, and the way to its manager."""

    standing: Callable[[], Standing]
    manager: ManagerApi


async def _from_app(request: Request) -> GatewayEnv:
    env: GatewayEnv = request.app.state.gateway_env
    return env


router = APIRouter()


async def relay(request: Request, env: Annotated[GatewayEnv, Depends(_from_app)]) -> Response:
    """Let the local manager answer.

    Errors:  why this node cannot: NotManager, WorkerNode, SwarmLocked, ManagerNotReady, ...
    """
    return await relay_to_manager(env, request)


async def relay_below(
    rest: str, request: Request, env: Annotated[GatewayEnv, Depends(_from_app)]
) -> Response:
    """Let the local manager answer what is below one of its prefixes."""
    del rest
    return await relay_to_manager(env, request)


for prefix in PREFIXES:
    router.add_api_route(f"/{prefix}", relay, methods=_METHODS)
    router.add_api_route(f"/{prefix}/{{rest:path}}", relay_below, methods=_METHODS)


async def relay_to_manager(env: GatewayEnv, request: Request) -> Response:
    """Send a request on, and return the answer as it came: at once, or as a stream."""
    refused = refusal(env.standing())
    if refused is not None:
        raise refused
    outgoing = Outgoing(
        method=request.method.encode(),
        target=_target(request),
        headers=request.scope["headers"],
        body=await _body(request),
    )
    async with AsyncExitStack() as stack:
        # A client that leaves before the answer begins is not waited for.
        answer = await while_connected(
            request, stack.enter_async_context(env.manager.send(outgoing))
        )
        whole = answer.whole()
        if whole is not None:
            return Whole(answer.status, _whole_lines(answer, whole), whole)
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in _headers(answer)
        }
        media_type = headers.pop("content-type", "application/octet-stream")
        pieces = _Pieces(answer, stack.pop_all())
        return StreamAnswer(pieces, media_type, status=answer.status, headers=headers)


def _target(request: Request) -> bytes:
    path = quote(request.scope["path"], safe=_SAFE)
    query: bytes = request.scope["query_string"]
    target = f"/v{spell(version_of(request))}{path}".encode()
    return target + b"?" + query if query else target


async def _body(request: Request) -> bytes | AsyncIterator[bytes]:
    length = request.headers.get("content-length")
    if length is None:
        return request.stream() if "transfer-encoding" in request.headers else b""
    return await request.body() if int(length) <= _SMALL_BODY_BYTES else request.stream()


def _headers(answer: Incoming) -> list[Header]:
    return [pair for pair in answer.headers if pair[0] not in _OWN_HEADERS]


def _whole_lines(answer: Incoming, whole: bytes) -> bytes:
    """Return the headers of an answer that goes on in one piece; it may have come in chunks."""
    headers = [pair for pair in _headers(answer) if pair[0] != b"content-length"]
    if answer.status not in _BODILESS:
        headers.append((b"content-length", str(len(whole)).encode()))
    return b"".join(b"%b: %b\r\n" % pair for pair in headers)


class _Pieces:
    """An answer's body; closing it lets go of the connection, also before the first piece."""

    def __init__(self, answer: Incoming, stack: AsyncExitStack) -> None:
        self._pieces = answer.pieces()
        self._stack = stack

    def __aiter__(self) -> _Pieces:
        return self

    async def __anext__(self) -> bytes:
        return await anext(self._pieces)

    async def aclose(self) -> None:
        """Let go."""
        await self._stack.aclose()
