"""Requests for the cluster pass through the daemon to its manager and back, whole and at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from fastapi import Request
from starlette.responses import JSONResponse, Response

from agent.adapters.manager_http import ManagerHttp
from agent.core.standing import ManagerPhase, Standing
from agent.gateway import GatewayEnv, router
from api.errors import Conflict
from api.http.app import Api
from api.http.bodies import StreamAnswer
from api.types.nodes import NodeRole
from api.versions import version_of
from tests.api.served import Client, serve

SERVING = Standing(in_swarm=True, role=NodeRole.MANAGER, manager=ManagerPhase.SERVING)


@dataclass
class Manager:
    """A manager that tells what it was asked."""

    app: Api = field(default_factory=Api)
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    standing: Standing = SERVING

    def __post_init__(self) -> None:
        self.app.add_api_route("/nodes", self.echo, methods=["GET"])
        self.app.add_api_route("/services/create", self.echo, methods=["POST"], status_code=201)
        self.app.add_api_route("/services/{ref}/logs", self.endless, methods=["GET"])
        self.app.add_api_route("/tasks", self.chunks, methods=["GET"])
        self.app.add_api_route("/nodes/{ref}", self.conflict, methods=["DELETE"])
        self.app.add_api_route("/secrets/{ref}", self.nothing, methods=["DELETE"])

    async def echo(self, request: Request) -> Response:
        body = await request.body()
        return JSONResponse(
            {
                "version": version_of(request),
                "query": request.url.query,
                "auth": request.headers.get("x-registry-auth"),
                "type": request.headers.get("content-type"),
                "body": body.decode() if len(body) < 1000 else len(body),
            },
            status_code=201 if body else 200,
            headers={"X-More": "yes", "Server": "another"},
        )

    async def conflict(self, ref: str) -> Response:
        raise Conflict(f"{ref} is busy")

    async def chunks(self) -> Response:
        async def lines() -> AsyncIterator[bytes]:
            yield b"one "
            yield b"two"

        return StreamAnswer(lines())

    async def nothing(self, ref: str) -> Response:
        del ref
        return Response(status_code=204)

    async def endless(self, ref: str) -> Response:
        del ref

        async def lines() -> AsyncIterator[bytes]:
            try:
                yield b"first\n"
                await asyncio.Event().wait()
            finally:
                self.closed.set()

        return StreamAnswer(lines(), media_type="application/x-test")


@pytest.fixture
async def manager() -> Manager:
    """Lend a manager, not served yet."""
    return Manager()


@pytest.fixture
async def gateway(manager: Manager, tmp_path: Path) -> AsyncIterator[Client]:
    """Lend a client of a daemon whose manager is served."""
    http = ManagerHttp(tmp_path / "manager.sock")
    app = Api()
    app.state.gateway_env = GatewayEnv(lambda: manager.standing, http)
    app.include_router(router)
    async with (
        serve(manager.app, tmp_path / "manager.sock"),
        serve(app, tmp_path / "api.sock") as client,
    ):
        yield client
        http.close()


async def test_a_read_passes_with_its_version_and_query(gateway: Client) -> None:
    reply = await gateway.request("GET", "/v1.43/nodes?filters=%7B%22a%22%3A1%7D")

    assert 200 == reply.status
    expected: dict[str, Any] = {"query": "filters=%7B%22a%22%3A1%7D", "version": [1, 43]}
    assert expected == {key: reply.json()[key] for key in expected}
    assert "yes" == reply.headers["x-more"]
    assert reply.headers["server"].startswith("Skep/")


async def test_a_write_passes_with_its_body_and_credentials(gateway: Client) -> None:
    headers = "Content-Type: application/json\r\nX-Registry-Auth: abc\r\n"

    reply = await gateway.request("POST", "/services/create", b'{"Name":"x"}', headers)

    assert 201 == reply.status
    assert ['{"Name":"x"}', "abc", "application/json"] == [
        reply.json()[key] for key in ("body", "auth", "type")
    ]


@pytest.mark.parametrize("chunked", [True, False])
async def test_a_large_body_is_streamed(gateway: Client, chunked: bool) -> None:
    """Larger than what is read before it is sent on."""
    content = b"x" * (1 << 20)
    framed = b"%x\r\n%b\r\n0\r\n\r\n" % (len(content), content) if chunked else content
    length = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % len(content)
    reader, writer = await gateway.open()

    writer.write(b"POST /services/create HTTP/1.1\r\nHost: x\r\n" + length + b"\r\n\r\n" + framed)

    assert b"201" in await reader.readuntil(b"\r\n\r\n")
    assert b'"body":1048576' in await reader.readuntil(b"}")
    writer.close()


async def test_an_error_passes_as_it_is(gateway: Client) -> None:
    reply = await gateway.request("DELETE", "/nodes/abc")

    assert (409, {"message": "abc is busy"}) == (reply.status, reply.json())


async def test_an_answer_without_a_body_passes_and_the_connection_is_used_again(
    gateway: Client,
) -> None:
    for _ in range(3):
        reply = await gateway.request("DELETE", "/secrets/abc")
        assert (204, b"") == (reply.status, reply.body)


async def test_a_stream_starts_at_once_and_ends_with_the_client(
    gateway: Client, manager: Manager
) -> None:
    reader, writer = await gateway.open()
    writer.write(b"GET /services/x/logs?follow=1 HTTP/1.1\r\nHost: x\r\n\r\n")
    head = await reader.readuntil(b"first\n")

    writer.close()

    assert b"content-type: application/x-test" in head
    async with asyncio.timeout(5):
        await manager.closed.wait()


async def test_chunks_that_come_at_once_end_where_they_end(gateway: Client) -> None:
    """A connection that is kept tells the end of an answer by its length, or by its chunks."""
    for _ in range(5):
        reader, writer = await gateway.open()
        writer.write(b"GET /tasks HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
        for _ in range(2):
            async with asyncio.timeout(5):
                head = await reader.readuntil(b"\r\n\r\n")
                if b"content-length: 7" in head:
                    assert b"one two" == await reader.readexactly(7)
                else:
                    assert b"one " in await reader.readuntil(b"0\r\n\r\n")
        writer.close()


async def test_many_at_once_do_not_mix(gateway: Client) -> None:
    replies = await asyncio.gather(
        *(gateway.request("POST", "/services/create", str(each).encode()) for each in range(40))
    )

    assert [str(each) for each in range(40)] == [reply.json()["body"] for reply in replies]


@pytest.mark.parametrize(
    ("standing", "words"),
    [
        (Standing(), "This node is not a swarm manager. Use"),
        (Standing(in_swarm=True, role=NodeRole.WORKER), "Worker nodes can't be used"),
        (Standing(in_swarm=True, role=NodeRole.MANAGER), "Manager is being prepared"),
        (Standing(in_swarm=True, manager=ManagerPhase.LOCKED), "Swarm is encrypted"),
        (Standing(in_swarm=True, is_expired=True), "Swarm certificates have expired"),
    ],
)
async def test_who_cannot_answer_says_why(
    gateway: Client, manager: Manager, standing: Standing, words: str
) -> None:
    """The docker CLI shows these messages as they are."""
    manager.standing = standing

    reply = await gateway.request("GET", "/nodes")

    assert 503 == reply.status
    assert words in reply.json()["message"]


async def test_a_manager_that_does_not_listen_is_being_prepared(tmp_path: Path) -> None:
    app = Api()
    app.state.gateway_env = GatewayEnv(lambda: SERVING, ManagerHttp(tmp_path / "no.sock"))
    app.include_router(router)
    async with serve(app, tmp_path / "api.sock") as client:
        reply = await client.request("GET", "/nodes")

    assert 503 == reply.status
    assert "Manager is being prepared" in reply.json()["message"]


async def test_a_manager_that_ends_in_the_middle_is_told_from_one_that_answered(
    tmp_path: Path,
) -> None:
    """Nobody knows then whether the write was done: the error says so."""

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    app = Api()
    app.state.gateway_env = GatewayEnv(lambda: SERVING, ManagerHttp(tmp_path / "manager.sock"))
    app.include_router(router)
    server = await asyncio.start_unix_server(hang_up, tmp_path / "manager.sock")
    async with server, serve(app, tmp_path / "api.sock") as client:
        reply = await client.request("POST", "/services/create", b"{}")

    assert 503 == reply.status
    assert "may have been carried out" in reply.json()["message"]
