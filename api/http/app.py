"""The FastAPI application: versions in paths, Docker's error bodies, and what a browser may not."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from http import HTTPStatus

import msgspec
import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import Forbidden, InvalidArgument, SkepError
from api.http.dispatch import Dispatcher
from api.http.hijack import connection_of
from api.versions import CURRENT, spell, split_version

log = structlog.get_logger(__name__)

_SLASHES = re.compile(r"/{2,}")
_BODILESS = frozenset({204, 304})


class Api(FastAPI):
    """FastAPI routing and injection; errors, versions and limits are ours.

    The roots put `<noun>_env` on `state` and include the routers. There is one layer between
    server and routes, instead of FastAPI's five, since every request pays for each of them; most
    routes are found and called by a table of our own.
    """

    def __init__(self) -> None:
        super().__init__(openapi_url=None, redirect_slashes=False)

    def build_middleware_stack(self) -> ASGIApp:
        """Return the routes behind our gate."""
        router = AsyncExitStackMiddleware(self.router)
        return Gate(Dispatcher(iter_route_contexts(self.routes), router))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        scope["app"] = self
        await self.prepare()(scope, receive, send)

    def prepare(self) -> ASGIApp:
        """Make the table of routes, unless it is made; takes 50 ms that no client should wait."""
        if self.middleware_stack is None:
            self.middleware_stack = self.build_middleware_stack()
        return self.middleware_stack


def fixed_headers(version: str) -> list[tuple[bytes, bytes]]:
    """Return the headers of every response of the daemon of this version."""
    return [
        (b"Api-Version", spell(CURRENT).encode()),
        (b"Docker-Experimental", b"false"),
        (b"Ostype", b"linux"),
        (b"Server", f"Skep/{version} (linux)".encode()),
    ]


class Gate:
    """Takes the version from the path, and turns what is raised into Docker's error bodies."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; nothing comes out.

        A request is a task of its own that the server alone cancels, when it stops: the
        cancellation ends here, where the connection is cut.
        """
        if scope["type"] != "http":
            return
        started = False

        async def watched_send(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            _admit(scope)
            await self._app(scope, receive, watched_send)
        except (ClientDisconnect, ConnectionError, asyncio.CancelledError):
            _cut(scope)
        except Exception as error:
            failure = _to_answer(error)
            if failure.http >= HTTPStatus.INTERNAL_SERVER_ERROR and not _is_ours(error):
                path = scope["path"]
                log.exception("request.failed", method=scope["method"], path=path)
            if started:
                _cut(scope)
            else:
                await _send_error(send, failure)


def _admit(scope: Scope) -> None:
    if scope["client"] is not None:
        _check_browser(scope)
    path: str = scope["path"]
    if "//" in path:
        path = _SLASHES.sub("/", path)
    # The state of a connection is shared by its requests; each gets its own.
    version, scope["path"] = split_version(path)
    scope["state"] = {**scope.get("state", {}), "api_version": version}


def _check_browser(scope: Scope) -> None:
    """Refuse over TCP what a page in somebody's browser could make it send.

    Pages send an Origin with what is not theirs, and come under their own name when that name
    is bound anew to this address. Names without a dot cannot be bound by strangers.
    """
    host = b""
    for name, value in scope["headers"]:
        if name == b"origin":
            raise Forbidden("requests from web pages are refused (Origin header)")
        if name == b"host":
            host = value
    if scope["scheme"] != "https" and not _is_own_name(host.decode("latin-1")):
        raise Forbidden(
            f"the Host header ({host.decode('latin-1')[:128]}) is no name of this host; "
            "use its address, or TLS"
        )


def _is_own_name(host: str) -> bool:
    name = re.sub(r":[0-9]*$", "", host).strip("[]").lower()
    if "." not in name and ":" not in name:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name.endswith(".localhost") or name == socket.gethostname().lower()
    return True


def _is_ours(error: Exception) -> bool:
    return isinstance(error, SkepError)


class _PageNotFound(SkepError):
    http = 404

    def __init__(self) -> None:
        super().__init__("page not found")


class _Foreign(SkepError):
    """An error raised outside of our tree, with a status of its own."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.http = status  # type: ignore[misc] # an instance's own status, as it came


def _to_answer(error: Exception) -> SkepError:
    match error:
        case SkepError():
            return error
        case HTTPException(status_code=404 | 405):
            return _PageNotFound()
        case HTTPException():
            return _Foreign(error.status_code, str(error.detail))
        case RequestValidationError():
            return InvalidArgument(_first_complaint(error))
        case _:
            return SkepError(f"internal error: {type(error).__name__}: {error}")


def _first_complaint(error: RequestValidationError) -> str:
    first = error.errors()[0]
    return f"invalid {'.'.join(map(str, first['loc']))}: {first['msg']}"


async def _send_error(send: Send, error: SkepError) -> None:
    headers: list[tuple[bytes, bytes]] = []
    content = b""
    if error.http not in _BODILESS:
        content = msgspec.json.encode({"message": error.message}) + b"\n"
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(content)).encode()),
        ]
    await send({"type": "http.response.start", "status": error.http, "headers": headers})
    await send({"type": "http.response.body", "body": content, "more_body": False})


def _cut(scope: Scope) -> None:
    connection = connection_of(scope)
    if connection is not None:
        connection.abort()
