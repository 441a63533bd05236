"""Which requests the table answers, with what arguments, and which it leaves to FastAPI."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response
from fastapi.routing import iter_route_contexts
from starlette.types import Message, Receive, Scope, Send

from api.http.dispatch import Dispatcher

router = APIRouter()
seen: list[tuple[str, dict[str, Any]]] = []


async def _agent(request: Request) -> str:
    return request.headers.get("user-agent", "")


@router.get("/images/json")
async def list_all() -> Response:
    """Take nothing."""
    seen.append(("list", {}))
    return Response()


@router.get("/images/{name:path}/json")
async def one(name: str, request: Request, agent: Annotated[str, Depends(_agent)]) -> Response:
    """Take a part of the path, the request and what is made of it."""
    parameters = request.path_params
    seen.append(("one", {"name": name, "agent": agent, "parameters": parameters}))
    return Response()


@router.get("/networks/{ref}")
async def network(ref: str) -> Response:
    """Take the last segment."""
    seen.append(("network", {"ref": ref}))
    return Response()


@router.get("/typed/{number}")
async def typed(number: int) -> Response:
    """Take a number, which is FastAPI's to convert."""
    return Response(str(number))


@router.get("/queried")
async def queried(size: Annotated[int, Query()] = 0) -> Response:
    """Take a query argument that FastAPI checks."""
    return Response(str(size))


@router.get("/valued")
async def valued() -> list[str]:
    """Return a value, which is FastAPI's to encode."""
    return []


@router.get("/threaded")
def threaded() -> Response:
    """Block, so that FastAPI runs it in a thread."""
    return Response()


left: list[str] = []


async def _otherwise(scope: Scope, receive: Receive, send: Send) -> None:
    left.append(scope["path"])


@pytest.fixture
def dispatcher() -> Dispatcher:
    """Lend a table of the routes above."""
    app = FastAPI()
    app.include_router(router)
    seen.clear()
    left.clear()
    return Dispatcher(iter_route_contexts(app.routes), _otherwise)


async def _get(dispatcher: Dispatcher, path: str, method: str = "GET") -> None:
    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None: ...

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "headers": [(b"user-agent", b"me")],
        "query_string": b"",
    }
    await dispatcher(scope, receive, send)


async def test_exact_path_goes_before_a_pattern(dispatcher: Dispatcher) -> None:
    """An image could be called `json` otherwise."""
    await _get(dispatcher, "/images/json")

    assert seen == [("list", {})]


async def test_arguments_come_from_path_request_and_dependencies(dispatcher: Dispatcher) -> None:
    """All kinds at once, and a name with slashes."""
    await _get(dispatcher, "/images/host:5000/a/b/json")

    name = "host:5000/a/b"
    assert seen == [("one", {"name": name, "agent": "me", "parameters": {"name": name}})]


async def test_open_ended_pattern_takes_one_segment(dispatcher: Dispatcher) -> None:
    """`{ref}` does not reach over a slash."""
    await _get(dispatcher, "/networks/a")
    await _get(dispatcher, "/networks/a/b")

    assert seen == [("network", {"ref": "a"})]
    assert left == ["/networks/a/b"]


@pytest.mark.parametrize("path", ["/typed/1", "/queried", "/valued", "/threaded", "/x", "/", ""])
async def test_what_is_not_simple_is_left_to_the_router(dispatcher: Dispatcher, path: str) -> None:
    """Conversions, encodings, threads and unknown paths stay FastAPI's."""
    await _get(dispatcher, path)

    assert left == [path]


async def test_other_method_is_left_to_the_router(dispatcher: Dispatcher) -> None:
    """FastAPI says 405."""
    await _get(dispatcher, "/images/json", "POST")

    assert left == ["/images/json"]
