"""POST /exec/{id}/start: run the command of an exec instance."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing

import structlog
from msgspec import Struct

from api.errors import InvalidArgument, NoSuchExec, SkepError
from api.frames import Stream, pack_frame
from api.http.hijack import Duplex
from api.types.exec import ExecStartRequest
from engine.containers.env import ContainersEnv
from engine.containers.exec_create import check_exec_possible, publish
from engine.containers.exec_instance import ExecInstance, drop_instance, find_instance, step
from engine.containers.exec_process import prepare_process
from engine.containers.stdio import Choice, Ending, carry, output_of
from engine.core.detach_keys import parse_detach_keys
from engine.core.errors import RuntimeFailed
from engine.core.exec_state import ExecEvent
from engine.ports.runtime import Monitored, MonitorStream

log = structlog.get_logger(__name__)

# how long the exit code of an ended command can be asked for
_REMEMBERED_S = 300.0
_KILLED = 137
_NOT_STARTED = 126


class ExecSession(Struct, frozen=True):
    """A command that is about to run, its client attached by `serve`."""

    tty: bool
    serve: Callable[[Duplex], Awaitable[None]]


async def exec_start(
    env: ContainersEnv, exec_id: str, request: ExecStartRequest
) -> ExecSession | None:
    """Run a command behind the request (Detach: None), or return how to serve its client.

    A command that cannot be started is told in the stream then, as clients expect, and by the
    exit code that inspect gives (126 not executable, 127 not found).
    Errors:  NoSuchExec, NotRunning, Conflict (paused, started before); detached: RuntimeFailed.
    """
    instance = find_instance(env, exec_id)
    record = env.store.find(instance.container_id)
    if record is None:
        raise NoSuchExec(exec_id)
    size = _console_size(request.ConsoleSize or instance.request.ConsoleSize)
    check_exec_possible(record)
    instance = step(env, exec_id, ExecEvent.START)
    if request.Detach:
        stream = await _launch(env, instance, size)
        if stream is not None:
            stream.close()
        return None

    async def serve(client: Duplex) -> None:
        await _serve(env, instance, size, client, raw=request.Tty)

    return ExecSession(request.Tty, serve)


def _console_size(size: object) -> tuple[int, int] | None:
    match size:
        case [int(height), int(width)] if 0 <= height <= 0xFFFF and 0 <= width <= 0xFFFF:
            return (height, width) if height and width else None
        case list():
            raise InvalidArgument("ConsoleSize must be [height, width]")
        case _:
            return None


async def _serve(
    env: ContainersEnv,
    instance: ExecInstance,
    size: tuple[int, int] | None,
    client: Duplex,
    *,
    raw: bool,
) -> None:
    request = instance.request
    choice = Choice(
        stdin=request.AttachStdin,
        stdout=request.AttachStdout,
        stderr=request.AttachStderr,
        raw=raw,
        detach_keys=parse_detach_keys(request.DetachKeys),
    )
    try:
        stream = await _launch(env, instance, size)
    except SkepError as error:
        words = f"{error.message}\r\n".encode()
        await client.write(words if raw else pack_frame(Stream.STDOUT, words))
        return
    if stream is None:
        return
    try:
        async with aclosing(output_of(stream, choice)) as output:
            ending = await carry(client, output, stream, choice)
    finally:
        stream.close()
    if ending is Ending.OUTPUT_ENDED:
        # the client asks for the exit code as soon as the stream ends
        await instance.ended.wait()
    elif ending is Ending.DETACHED and (record := env.store.find(instance.container_id)):
        publish(env, record, instance, "exec_detach")


async def _launch(
    env: ContainersEnv, instance: ExecInstance, size: tuple[int, int] | None
) -> MonitorStream | None:
    """Start the process, whether the client waits for it or has left meanwhile."""
    outcome: asyncio.Future[MonitorStream | None] = asyncio.get_running_loop().create_future()
    env.live.spawn(_run(env, instance, size, outcome), f"exec:{instance.id}")
    try:
        return await asyncio.shield(outcome)
    except asyncio.CancelledError:
        outcome.add_done_callback(_close_unclaimed)
        raise


def _close_unclaimed(outcome: asyncio.Future[MonitorStream | None]) -> None:
    if outcome.cancelled() or outcome.exception() is not None:
        return
    stream = outcome.result()
    if stream is not None:
        stream.close()


async def _run(
    env: ContainersEnv,
    instance: ExecInstance,
    size: tuple[int, int] | None,
    outcome: asyncio.Future[MonitorStream | None],
) -> None:
    """Start the process, tell the outcome, wait for its end, and forget it after a while."""
    try:
        monitored = await _start(env, instance, size, outcome)
    finally:
        if not outcome.done():
            outcome.cancel()
    if monitored is not None:
        await _watch(env, instance, monitored)
    await env.host.bundles.remove_exec(instance.container_id, instance.id)
    await env.host.clock.sleep(_REMEMBERED_S)
    drop_instance(env, instance)


async def _start(
    env: ContainersEnv,
    instance: ExecInstance,
    size: tuple[int, int] | None,
    outcome: asyncio.Future[MonitorStream | None],
) -> Monitored | None:
    record = env.store.get(instance.container_id)
    publish(env, record, instance, f"exec_start: {' '.join(instance.command)}")
    try:
        order = await prepare_process(env, record, instance, size)
        monitored, stream = await env.host.monitor.exec(order)
    except SkepError as error:
        exit_code = error.exit_code if isinstance(error, RuntimeFailed) else _NOT_STARTED
        _finish(env, instance, ExecEvent.FAILED, exit_code)
        outcome.set_exception(error)
        log.info("exec.failed", container_id=record.id, exec_id=instance.id, error=error.message)
        return None
    step(env, instance.id, ExecEvent.STARTED, pid=monitored.pid, directory=order.directory)
    instance.started.set()
    outcome.set_result(stream)
    return monitored


async def _watch(env: ContainersEnv, instance: ExecInstance, monitored: Monitored) -> None:
    seen = await env.host.monitor.wait(monitored)
    exit_code = _KILLED if seen.exit_code is None else seen.exit_code
    _finish(env, instance, ExecEvent.EXITED, exit_code)
    if (record := env.store.find(instance.container_id)) is not None:
        publish(env, record, instance, "exec_die", exitCode=str(exit_code))
    log.debug("exec.ended", exec_id=instance.id, exit_code=exit_code)


def _finish(env: ContainersEnv, instance: ExecInstance, event: ExecEvent, exit_code: int) -> None:
    """Note the end; the container, and the instance with it, may be gone by now."""
    if env.live.find_exec(instance.id) is not None:
        step(env, instance.id, event, exit_code=exit_code)
    instance.started.set()
    instance.ended.set()
