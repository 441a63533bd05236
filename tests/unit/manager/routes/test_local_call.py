"""What another manager hands on is served by the same routes."""

from __future__ import annotations

import pytest
from fastapi import APIRouter, Request

from api.http.bodies import Answer, Empty
from manager.ports.leadership import Request as Forwarded
from manager.ports.outcomes import NotLeader
from manager.routes.app import ManagerApi
from manager.routes.local_call import serve_forwarded
from tests.fakes.leadership import FakeLeader, FakeLeadership


def _app(leadership: FakeLeadership) -> ManagerApi:
    router = APIRouter()

    @router.post("/echo")
    async def echo(request: Request) -> Answer:
        content = (await request.body()).decode()
        return Answer([request.url.query, content, request.headers["x-from"]], status=201)

    @router.post("/nothing")
    async def nothing() -> Empty:
        return Empty()

    app = ManagerApi(leadership, FakeLeader())
    app.include_router(router)
    return app


def _request(path: str) -> Forwarded:
    return Forwarded("POST", path, b"a=1", ((b"x-from", b"b"),), b"text")


async def test_reply_is_that_of_the_route() -> None:
    reply = await serve_forwarded(_app(FakeLeadership()), _request("/v1.40/echo"))

    assert (201, b'["a=1","text","b"]\n') == (reply.status, reply.body)
    assert (b"content-type", b"application/json") in reply.headers


async def test_reply_without_a_body_stays_so() -> None:
    reply = await serve_forwarded(_app(FakeLeadership()), _request("/nothing"))

    assert (204, b"") == (reply.status, reply.body)


async def test_error_is_the_replys_body() -> None:
    reply = await serve_forwarded(_app(FakeLeadership()), _request("/unknown"))

    assert (404, b'{"message":"page not found"}\n') == (reply.status, reply.body)


async def test_manager_that_does_not_lead_says_so() -> None:
    """The follower that asked must learn that nothing was done, and try elsewhere."""
    app = _app(FakeLeadership(is_leader=False, leader_address="a:1"))

    with pytest.raises(NotLeader):
        await serve_forwarded(app, _request("/nothing"))
