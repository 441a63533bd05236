"""Commands in running containers, from create to what inspect says afterwards."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from api.errors import Conflict, InvalidArgument, NoSuchExec
from api.frames import FrameDecoder, Stream
from api.types.exec import ExecCreateRequest, ExecInspectResponse, ExecStartRequest
from engine.containers.exec_create import exec_create
from engine.containers.exec_inspect import exec_inspect
from engine.containers.exec_resize import exec_resize
from engine.containers.exec_start import exec_start
from engine.core.container_state import NotRunning, Status
from engine.core.errors import RuntimeFailed
from tests.fakes.client import FakeClient
from tests.fakes.container_io import CONTAINER_ID, World

LIST = ExecCreateRequest(Cmd=["ls", "-l"], AttachStdout=True, AttachStderr=True)
SHELL = ExecCreateRequest(Cmd=["sh"], AttachStdin=True, AttachStdout=True, Tty=True)
DETACHED = ExecStartRequest(Detach=True)
NOT_FOUND = RuntimeFailed(
    "OCI runtime exec failed: exec failed: unable to start container process: "
    'exec: "nosuch": executable file not found in $PATH: unknown',
    127,
)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Give a world with a running container."""
    world = World(tmp_path)
    world.add()
    return world


async def attached(
    world: World, exec_id: str, client: FakeClient, *, tty: bool = False
) -> asyncio.Task[None]:
    """Start a command with a client, up to where its process runs or was refused."""
    session = await exec_start(world.env, exec_id, ExecStartRequest(Tty=tty))
    assert session is not None
    serving = asyncio.ensure_future(session.serve(client))
    await _settle()
    return serving


async def _settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def inspect(world: World, exec_id: str) -> ExecInspectResponse:
    """Return what inspect says."""
    return await exec_inspect(world.env, exec_id)


async def test_output_then_exit_code_by_the_time_the_stream_ends(world: World) -> None:
    """The CLI asks for the exit code as soon as the connection closes."""
    exec_id = await exec_create(world.env, "web", LIST)
    client = FakeClient()
    serving = await attached(world, exec_id, client)
    assert (await inspect(world, exec_id)).Running
    directory = world.monitor.execs[0].directory

    world.monitor.streams[directory][0].output(1, b"total 0\n")
    world.monitor.exit(directory, 3)
    await serving

    assert list(FrameDecoder().feed(bytes(client.received))) == [(Stream.STDOUT, b"total 0\n")]
    after = await inspect(world, exec_id)
    assert (after.Running, after.ExitCode) == (False, 3)
    assert world.events.actions == ["exec_create: ls -l", "exec_start: ls -l", "exec_die"]


async def test_command_that_is_not_there_is_told_in_the_stream(world: World) -> None:
    """Clients print the text and take 127 from inspect."""
    exec_id = await exec_create(world.env, "web", ExecCreateRequest(Cmd=["nosuch"]))
    world.monitor.failure = NOT_FOUND
    client = FakeClient()

    await (await attached(world, exec_id, client))

    ((stream, text),) = FrameDecoder().feed(bytes(client.received))
    assert (stream, text) == (Stream.STDOUT, NOT_FOUND.message.encode() + b"\r\n")
    assert (await inspect(world, exec_id)).ExitCode == 127


async def test_detached_start_returns_while_the_command_runs(world: World) -> None:
    """`docker exec -d`."""
    exec_id = await exec_create(world.env, "web", LIST)

    assert await exec_start(world.env, exec_id, DETACHED) is None

    assert (await inspect(world, exec_id)).Running
    assert world.monitor.streams[world.monitor.execs[0].directory][0].is_closed


async def test_detached_start_that_fails_is_an_error_answer(world: World) -> None:
    """There is no stream to tell it in."""
    exec_id = await exec_create(world.env, "web", LIST)
    world.monitor.failure = NOT_FOUND

    with pytest.raises(RuntimeFailed, match="executable file not found"):
        await exec_start(world.env, exec_id, DETACHED)


async def test_second_start_is_a_conflict(world: World) -> None:
    """Before any upgrade."""
    exec_id = await exec_create(world.env, "web", LIST)
    await exec_start(world.env, exec_id, DETACHED)

    with pytest.raises(Conflict, match=f"Error: Exec command {exec_id} is already running"):
        await exec_start(world.env, exec_id, DETACHED)


async def test_client_that_vanishes_leaves_the_command_running(world: World) -> None:
    """As the reference does."""
    exec_id = await exec_create(world.env, "web", SHELL)
    client = FakeClient()
    serving = await attached(world, exec_id, client, tty=True)

    client.vanish()
    await serving

    assert (await inspect(world, exec_id)).Running
    assert world.monitor.streams[world.monitor.execs[0].directory][0].is_closed


async def test_client_that_is_cut_off_during_the_start_leaves_no_open_stream(world: World) -> None:
    """The start goes on behind; its stream has no taker."""
    exec_id = await exec_create(world.env, "web", SHELL)
    session = await exec_start(world.env, exec_id, ExecStartRequest(Tty=True))
    assert session is not None
    serving = asyncio.ensure_future(session.serve(FakeClient()))
    await asyncio.sleep(0)

    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    await _settle()

    assert (await inspect(world, exec_id)).Running
    assert world.monitor.streams[world.monitor.execs[0].directory][0].is_closed


async def test_size_waits_for_the_start(world: World) -> None:
    """The CLI sends the first size while the command is on its way up."""
    exec_id = await exec_create(world.env, "web", SHELL)
    resizing = asyncio.ensure_future(exec_resize(world.env, exec_id, 40, 120))
    await asyncio.sleep(0)

    serving = await attached(world, exec_id, FakeClient(), tty=True)
    await resizing

    assert world.monitor.sizes == [(world.monitor.execs[0].directory, 40, 120)]
    serving.cancel()


async def test_resizing_an_ended_command_is_a_conflict(world: World) -> None:
    """There is no terminal any more."""
    exec_id = await exec_create(world.env, "web", SHELL)
    await exec_start(world.env, exec_id, DETACHED)
    world.monitor.exit(world.monitor.execs[0].directory)
    await _settle()

    with pytest.raises(Conflict, match="cannot resize a stopped exec"):
        await exec_resize(world.env, exec_id, 1, 1)


async def test_ended_commands_are_forgotten_after_five_minutes(world: World) -> None:
    """A container that is probed every second must not fill the memory."""
    exec_id = await exec_create(world.env, "web", LIST)
    await exec_start(world.env, exec_id, DETACHED)
    world.monitor.exit(world.monitor.execs[0].directory)
    await _settle()

    world.clock.advance(301)
    await _settle()

    with pytest.raises(NoSuchExec):
        await inspect(world, exec_id)


async def test_removed_container_takes_its_commands_along(world: World) -> None:
    """And the end of the command, which comes later, harms nobody."""
    exec_id = await exec_create(world.env, "web", LIST)
    await exec_start(world.env, exec_id, DETACHED)

    world.store.hide(CONTAINER_ID)
    world.live.forget(CONTAINER_ID)
    world.monitor.exit(world.monitor.execs[0].directory, 137)
    await _settle()

    with pytest.raises(NoSuchExec):
        await inspect(world, exec_id)
    assert "exec_die" not in world.events.actions


@pytest.mark.parametrize(
    "request_",
    [
        ExecCreateRequest(),
        ExecCreateRequest(Cmd=[]),
        ExecCreateRequest(Cmd=["ls"], Env=["=x"]),
        ExecCreateRequest(Cmd=["ls"], Env=["a\0=x"]),
        ExecCreateRequest(Cmd=["ls"], DetachKeys="ctrl-!"),
    ],
)
async def test_requests_that_make_no_sense_are_refused(
    world: World, request_: ExecCreateRequest
) -> None:
    """400, and no instance is left."""
    with pytest.raises(InvalidArgument):
        await exec_create(world.env, "web", request_)

    assert world.live.of(CONTAINER_ID).execs == {}


@pytest.mark.parametrize("status", [Status.CREATED, Status.EXITED, Status.DEAD])
async def test_container_without_process_is_a_conflict(world: World, status: Status) -> None:
    """409."""
    world.become(status)

    with pytest.raises(NotRunning):
        await exec_create(world.env, "web", LIST)


async def test_paused_container_is_a_conflict_at_create_and_at_start(world: World) -> None:
    """A process could be started in a frozen group, and would never run."""
    exec_id = await exec_create(world.env, "web", LIST)
    world.become(Status.PAUSED)

    with pytest.raises(Conflict, match="is paused, unpause the container before exec"):
        await exec_create(world.env, "web", LIST)
    with pytest.raises(Conflict, match="is paused, unpause the container before exec"):
        await exec_start(world.env, exec_id, DETACHED)


async def test_unknown_instance_is_not_found(world: World) -> None:
    """Docker's words."""
    with pytest.raises(NoSuchExec, match="No such exec instance: nosuch"):
        await exec_start(world.env, "nosuch", DETACHED)
