"""POST /containers/{id}/attach."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from api.errors import Conflict, InvalidArgument
from api.types.containers import ContainerConfig
from engine.containers.attach import AttachQuery, attach
from engine.core.container_state import Status
from tests.fakes.client import FakeClient
from tests.fakes.container_io import CONTAINER_ID, World
from tests.fakes.monitor_stream import FakeMonitorStream

ALL = AttachQuery(stream=True, stdin=True, stdout=True, stderr=True)
INTERACTIVE = ContainerConfig(Tty=True, OpenStdin=True)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Give a world without logs."""
    return World(tmp_path)


async def begin(world: World, query: AttachQuery, client: FakeClient) -> asyncio.Task[None]:
    """Attach, and serve behind the test up to where it waits."""
    attachment = await attach(world.env, "web", query)
    serving = asyncio.ensure_future(attachment.serve(client))
    for _ in range(5):
        await asyncio.sleep(0)
    return serving


async def test_output_and_input_of_a_running_container(world: World) -> None:
    """`docker attach`."""
    world.add(config=INTERACTIVE)
    client = FakeClient()
    serving = await begin(world, ALL, client)
    stream = world.monitor.streams[world.bundle][0]
    client.send(b"ls\n")
    await stream.until_typed(b"ls\n")

    stream.output(1, b"bin\r\n")
    stream.end()
    await serving

    assert client.received == b"bin\r\n"
    assert stream.is_closed
    assert world.events.actions == ["attach"]


async def test_attach_before_start_gets_the_first_byte(world: World) -> None:
    """`docker run` attaches, then starts."""
    world.add(Status.CREATED, INTERACTIVE)
    client, stream = FakeClient(), FakeMonitorStream()
    serving = await begin(world, ALL, client)
    (attacher,) = world.live.of(CONTAINER_ID).attachers

    async def open_stream() -> FakeMonitorStream:
        return stream

    await attacher.connected(open_stream)
    stream.output(1, b"hello")
    stream.end()
    await serving

    assert client.received == b"hello"
    assert world.live.of(CONTAINER_ID).attachers == []


async def test_attach_during_a_start_is_not_forgotten(world: World) -> None:
    """The start had asked for attachers already; its lock is still held."""
    world.add(Status.CREATED, INTERACTIVE)
    client = FakeClient()
    async with world.live.of(CONTAINER_ID).lock:
        serving = await begin(world, ALL, client)
        world.add(Status.RUNNING, INTERACTIVE)
    for _ in range(5):
        await asyncio.sleep(0)
    stream = world.monitor.streams[world.bundle][0]

    stream.output(1, b"x")
    stream.end()
    await serving

    assert client.received == b"x"


@pytest.mark.parametrize("how", ["client", "container"])
async def test_waiting_for_a_start_ends_when_either_side_goes(world: World, how: str) -> None:
    """A vanished client must not be connected later; a removed container never starts."""
    world.add(Status.CREATED)
    client = FakeClient()
    serving = await begin(world, ALL, client)

    if how == "client":
        client.vanish()
    else:
        world.live.of(CONTAINER_ID).removed.fire(0)
    await asyncio.wait_for(serving, 5)

    assert world.live.of(CONTAINER_ID).attachers == []


async def test_cancelled_attach_closes_a_stream_that_nobody_took(world: World) -> None:
    """The daemon's shutdown between connect and serve."""
    world.add(Status.CREATED)
    stream = FakeMonitorStream()
    serving = await begin(world, ALL, FakeClient())
    (attacher,) = world.live.of(CONTAINER_ID).attachers

    async def open_stream() -> FakeMonitorStream:
        return stream

    await attacher.connected(open_stream)
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)

    assert stream.is_closed


async def test_input_is_dropped_when_the_container_has_no_stdin(world: World) -> None:
    """OpenStdin was not asked for at create."""
    world.add()
    client = FakeClient()
    serving = await begin(world, ALL, client)
    stream = world.monitor.streams[world.bundle][0]
    client.send(b"x")
    client.end_input()
    stream.end()

    await serving

    assert not stream.typed
    assert not stream.stdin_closed


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (Status.PAUSED, "is paused, unpause the container before attach"),
        (Status.RESTARTING, "is restarting, wait until the container is running"),
    ],
)
async def test_states_that_forbid_attaching(world: World, status: Status, words: str) -> None:
    """409 before any upgrade."""
    world.add(status)

    with pytest.raises(Conflict, match=words):
        await attach(world.env, "web", ALL)


async def test_bad_detach_keys_are_refused_before_the_upgrade(world: World) -> None:
    """400."""
    world.add()

    with pytest.raises(InvalidArgument, match="Invalid detach keys"):
        await attach(world.env, "web", AttachQuery(stream=True, detach_keys="ctrl-!"))
