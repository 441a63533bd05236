"""Attach in a websocket, with a container in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from api.http.app import Api
from api.http.websocket_frames import Opcode, pack, unmask
from api.types.containers import ContainerConfig
from engine.routes.containers_io import router
from tests.api.served import Client, serve
from tests.fakes.container_io import World

HANDSHAKE = (
    "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


@pytest.fixture
async def world(tmp_path: Path) -> World:
    """Give a world with a running container that has stdin."""
    world = World(tmp_path)
    world.add(config=ContainerConfig(OpenStdin=True))
    return world


@pytest.fixture
async def client(world: World, tmp_path: Path) -> AsyncIterator[Client]:
    """Give a client of a server with these routes alone."""
    app = Api()
    app.include_router(router)
    app.state.containers_env = world.env
    async with serve(app, tmp_path / "api.sock") as client:
        yield client


class Socket:
    """A websocket's client side."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.head = b""

    @classmethod
    async def open(cls, client: Client, headers: str = HANDSHAKE) -> Socket:
        """Ask for one."""
        opened = cls(*await client.open())
        target = "/containers/web/attach/ws?stream=1&stdin=1&stdout=1&stderr=1"
        opened.writer.write(f"GET {target} HTTP/1.1\r\nHost: x\r\n{headers}\r\n".encode())
        async with asyncio.timeout(10):
            opened.head = await opened.reader.readuntil(b"\r\n\r\n")
        return opened

    def send(self, opcode: Opcode, payload: bytes) -> None:
        """Send one masked frame."""
        mask = b"\x01\x02\x03\x04"
        head = bytes((0x80 | opcode, 0x80 | len(payload)))
        self.writer.write(head + mask + unmask(payload, mask))

    async def take(self, count: int) -> bytes:
        """Return so many bytes of what the server sends."""
        async with asyncio.timeout(10):
            return await self.reader.readexactly(count)


async def test_output_comes_in_binary_frames_without_headers(world: World, client: Client) -> None:
    """As Docker's, which does not mark the streams here."""
    socket = await Socket.open(client)
    stream = world.monitor.streams[world.bundle][0]

    stream.output(2, b"hello")
    frame = await socket.take(7)
    stream.end()
    last = await socket.take(4)

    assert b"101 Switching Protocols" in socket.head
    assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in socket.head
    assert frame == pack(Opcode.BINARY, b"hello")
    assert last == bytes.fromhex("880203e8")


async def test_frames_are_input_and_pings_are_answered(world: World, client: Client) -> None:
    """Text and binary alike."""
    socket = await Socket.open(client)
    stream = world.monitor.streams[world.bundle][0]

    socket.send(Opcode.PING, b"?")
    pong = await socket.take(3)
    socket.send(Opcode.TEXT, b"typed")
    socket.send(Opcode.CLOSE, b"\x03\xe8")
    closing = await socket.take(4)

    assert (pong, closing) == (pack(Opcode.PONG, b"?"), bytes.fromhex("880203e8"))
    assert stream.typed == b"typed"


async def test_what_is_no_websocket_is_closed_with_a_reason(client: Client) -> None:
    """Status 1002: protocol error."""
    socket = await Socket.open(client)

    socket.writer.write(b"\x82\x01x")

    assert await socket.take(4) == bytes.fromhex("880203ea")


@pytest.mark.parametrize(
    "headers",
    [
        "",
        HANDSHAKE.replace("13", "8"),
        HANDSHAKE.replace("Connection", "X"),
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
    ],
)
async def test_other_requests_are_refused(client: Client, headers: str) -> None:
    """400, in the form of every error."""
    socket = await Socket.open(client, headers)

    assert socket.head.startswith(b"HTTP/1.1 400 ")
    socket.writer.close()
