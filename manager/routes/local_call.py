"""Requests that do not come from a socket, served by the same application."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Scope

from manager.ports.leadership import Reply, Request
from manager.routes.leader_first import FORWARDED, Forwarded


async def serve_forwarded(app: ASGIApp, request: Request) -> Reply:
    """Serve a request that another manager hands on.

    Errors:  NotDone when this manager does not lead, or lost the lead before anything was done.
    """
    forwarded = Forwarded()
    reply = await _serve(app, request, {FORWARDED: forwarded})
    if forwarded.not_done is not None:
        raise forwarded.not_done
    return reply


async def serve_own(app: ASGIApp, request: Request) -> Reply:
    """Serve a request of this manager itself, as if it had come to its socket."""
    return await _serve(app, request, {})


async def _serve(app: ASGIApp, request: Request, state: dict[str, object]) -> Reply:
    call = _Call(request.body)
    await app(_scope(request, state), call.receive, call.send)
    return call.reply()


class _Call:
    """One request and its reply, as ASGI passes them."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._status = 500
        self._headers: tuple[tuple[bytes, bytes], ...] = ()
        self._chunks: list[bytes] = []

    async def receive(self) -> Message:
        return {"type": "http.request", "body": self._body, "more_body": False}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = tuple(message.get("headers", ()))
        else:
            self._chunks.append(message.get("body", b""))

    def reply(self) -> Reply:
        return Reply(self._status, self._headers, b"".join(self._chunks))


def _scope(request: Request, state: dict[str, object]) -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http",
        "method": request.method,
        "path": request.path,
        "raw_path": request.path.encode(),
        "root_path": "",
        "query_string": request.query,
        "headers": list(request.headers),
        "client": None,
        "server": None,
        "state": state,
    }
