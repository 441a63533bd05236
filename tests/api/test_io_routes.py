"""Logs, attach and exec over HTTP, with a container in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from api.frames import FrameDecoder, Stream
from api.http.app import Api
from api.types.containers import ContainerConfig
from engine.adapters.log_files import DiskLogFiles
from engine.core.container_state import Status
from engine.routes.containers_io import router as io_router
from engine.routes.exec import router as exec_router
from tests.api.served import Client, serve, shut_write
from tests.fakes.container_io import World

UPGRADE = b"Connection: Upgrade\r\nUpgrade: tcp\r\n"
EXEC_BODY = b'{"Cmd": ["cat"], "AttachStdin": true, "AttachStdout": true}'


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """Give a world with a running container that has stdin."""
    files = DiskLogFiles()
    world = World(tmp_path, logs=files)
    world.add(config=ContainerConfig(OpenStdin=True))
    yield world
    files.close()


@pytest.fixture
async def client(world: World, tmp_path: Path) -> AsyncIterator[Client]:
    """Give a client of a server with these routes alone."""
    app = Api()
    app.include_router(io_router)
    app.include_router(exec_router)
    app.state.containers_env = world.env
    async with serve(app, tmp_path / "api.sock") as client:
        yield client


class Raw:
    """One hijacked connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.head = b""

    @classmethod
    async def post(
        cls, client: Client, target: str, headers: bytes = UPGRADE, content: bytes = b""
    ) -> Raw:
        """Ask for a raw connection."""
        raw = cls(*await client.open())
        length = b"Content-Type: application/json\r\nContent-Length: %d\r\n" % len(content)
        raw.writer.write(
            b"POST %s HTTP/1.1\r\nHost: x\r\n" % target.encode()
            + headers + (length if content else b"") + b"\r\n" + content
        )  # fmt: skip
        async with asyncio.timeout(10):
            raw.head = await raw.reader.readuntil(b"\r\n\r\n")
        return raw

    async def rest(self) -> bytes:
        """Read to the end."""
        async with asyncio.timeout(10):
            return await self.reader.read(-1)


def line(text: str) -> bytes:
    """Return a record of a log."""
    return b"2024-01-01T00:00:00.000000000+00:00 stdout F " + text.encode() + b"\n"


async def test_logs_are_framed_and_typed_for_newer_clients(world: World, client: Client) -> None:
    """Api 1.42: the media type tells frames from raw bytes."""
    world.log_path.write_bytes(line("hello"))

    reply = await client.request("GET", "/v1.47/containers/web/logs?stdout=1&stderr=1")

    assert reply.headers["content-type"] == "application/vnd.docker.multiplexed-stream"
    assert list(FrameDecoder().feed(reply.body)) == [(Stream.STDOUT, b"hello\n")]


async def test_older_clients_are_told_raw_and_decode_frames_all_the_same(
    world: World, client: Client
) -> None:
    """They know by the container's Tty."""
    world.log_path.write_bytes(line("hello"))

    reply = await client.request("GET", "/v1.30/containers/web/logs?stdout=1")

    assert reply.headers["content-type"] == "application/vnd.docker.raw-stream"
    assert reply.body.endswith(b"hello\n")


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("", 400, "Bad parameters: you must choose at least one stream"),
        ("?stdout=1&since=yesterday", 400, "failed to parse value"),
    ],
)
async def test_bad_log_requests(
    world: World, client: Client, query: str, status: int, words: str
) -> None:
    """Answered before the stream begins."""
    reply = await client.request("GET", f"/containers/web/logs{query}")

    assert reply.status == status
    assert words in reply.json()["message"]


async def test_slow_follower_does_not_fill_the_memory(world: World, client: Client) -> None:
    """Reading of the log stops with the client, and it gets every line later."""
    total = 20_000_000
    world.log_path.write_bytes(line("x" * 999) * (total // 1000))
    world.add(config=ContainerConfig(Tty=True))
    reader, writer = await client.open()
    writer.write(b"GET /containers/web/logs?stdout=1&follow=1 HTTP/1.1\r\nHost: x\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")

    world.exit()
    received = 0
    async with asyncio.timeout(20):
        while (size := int(await reader.readline(), 16)) > 0:
            received += len(await reader.readexactly(size + 2)) - 2

    assert received == total
    writer.close()


async def test_attach_carries_both_directions_and_half_close(world: World, client: Client) -> None:
    """101, frames, stdin to its end."""
    raw = await Raw.post(client, "/containers/web/attach?stream=1&stdin=1&stdout=1")
    stream = world.monitor.streams[world.bundle][0]
    raw.writer.write(b"typed")
    shut_write(raw.writer)
    await stream.until_stdin_closed()

    stream.output(1, b"answer")
    stream.end()

    assert raw.head.startswith(b"HTTP/1.1 101 UPGRADED\r\n")
    assert b"application/vnd.docker.multiplexed-stream" in raw.head
    assert stream.typed == b"typed"
    assert list(FrameDecoder().feed(await raw.rest())) == [(Stream.STDOUT, b"answer")]


async def test_attach_without_upgrade_is_200_and_raw(world: World, client: Client) -> None:
    """Clients of old."""
    raw = await Raw.post(client, "/containers/web/attach?stream=1&stdout=1", headers=b"")

    world.monitor.streams[world.bundle][0].end()

    assert raw.head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert await raw.rest() == b""


@pytest.mark.parametrize("half_closed", [False, True])
async def test_client_that_vanishes_ends_its_attach(
    world: World, client: Client, half_closed: bool
) -> None:
    """Also one that had ended its input long ago."""
    raw = await Raw.post(client, "/containers/web/attach?stream=1&stdin=1&stdout=1")
    stream = world.monitor.streams[world.bundle][0]
    if half_closed:
        shut_write(raw.writer)
        await stream.until_stdin_closed()

    raw.writer.close()

    async with asyncio.timeout(10):
        await stream.closing.wait()


async def test_refused_attach_is_an_answer_and_no_upgrade(world: World, client: Client) -> None:
    """A failed hijack leaves HTTP as it was."""
    world.become(Status.PAUSED)

    raw = await Raw.post(client, "/containers/web/attach?stream=1&stdout=1")

    assert raw.head.startswith(b"HTTP/1.1 409 ")
    raw.writer.close()


async def test_exec_from_create_to_exit_code(world: World, client: Client) -> None:
    """What the CLI does for `docker exec -i`."""
    created = await client.post_json("/containers/web/exec", EXEC_BODY)
    exec_id = created.json()["Id"]
    raw = await Raw.post(client, f"/exec/{exec_id}/start", content=b'{"Detach": false}')
    directory = await world.monitor.until_exec()

    world.monitor.streams[directory][0].output(1, b"out")
    world.monitor.exit(directory, 4)
    output = await raw.rest()
    inspected = await client.request("GET", f"/exec/{exec_id}/json")

    assert created.status == 201
    assert list(FrameDecoder().feed(output)) == [(Stream.STDOUT, b"out")]
    assert inspected.json()["ExitCode"] == 4
    assert inspected.json()["ProcessConfig"]["entrypoint"] == "cat"


@pytest.mark.parametrize(
    ("method", "target", "status", "words"),
    [
        ("POST", "/containers/nosuch/attach?stream=1", 404, "No such container: nosuch"),
        ("POST", "/exec/nosuch/start", 404, "No such exec instance: nosuch"),
        ("GET", "/exec/nosuch/json", 404, "No such exec instance: nosuch"),
        ("POST", "/containers/web/resize?h=1", 400, "invalid resize width"),
        ("POST", "/containers/web/resize?h=70000&w=1", 400, "invalid resize h 70000"),
        ("POST", "/containers/web/attach?stream=1&detachKeys=x,y,zz", 400, "Invalid detach keys"),
        ("GET", "/containers/web/attach/ws", 400, "no handshake"),
        ("GET", "/containers/web/top?ps_args=%22", 400, "invalid ps arguments"),
    ],
)
async def test_refused_requests_say_why(
    client: Client, method: str, target: str, status: int, words: str
) -> None:
    """In the form of every error."""
    reply = await client.request(method, target)

    assert reply.status == status
    assert words in reply.json()["message"]


async def test_exec_without_command_is_refused(client: Client) -> None:
    """Docker's words."""
    reply = await client.post_json("/containers/web/exec", b'{"Cmd": null}')

    assert reply.status == 400
    assert reply.json()["message"] == "No exec command specified"
