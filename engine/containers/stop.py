"""Stop a container: ask first, then kill."""

from __future__ import annotations

import asyncio

import structlog
from msgspec.structs import replace

from api.errors import Expired, NotModified
from engine.containers.env import ContainersEnv
from engine.containers.notify import notify
from engine.containers.record import ContainerRecord
from engine.containers.teardown import runtime_of
from engine.core.container_state import Event, Status, moved
from engine.core.errors import RuntimeFailed
from engine.core.signals import KILL, TERM, parse_signal

log = structlog.get_logger(__name__)

DEFAULT_TIMEOUT_S = 10
_KILL_TIMEOUT_S = 10.0


class AlreadyStopped(NotModified):
    """It does not run: 304."""

    def __init__(self, container_id: str) -> None:
        super().__init__(f"container {container_id} is already stopped")


class WillNotDie(Expired):
    """Not even SIGKILL ended it in time."""

    def __init__(self, container_id: str) -> None:
        super().__init__(
            f"cannot stop container: {container_id}: tried to kill container, "
            "but did not receive an exit event"
        )


async def stop(
    env: ContainersEnv, ref: str, *, timeout_s: int | None = None, signal: str = ""
) -> None:
    """Send the stop signal, after the time-out SIGKILL; return when the container has ended.

    The time-out is the argument's, else the container's, else 10 seconds; negative is for ever.
    Errors:  NoSuchContainer, NotModified (it does not run), InvalidArgument, WillNotDie.
    """
    record = env.store.resolve(ref)
    number = stop_signal_of(record) if not signal else parse_signal(signal)
    if not record.state.is_running:
        # It may be waiting for what it needs to start.
        env.live.of(record.id).stop_asked = True
        raise AlreadyStopped(record.id)
    await end(env, record, number, _timeout_of(record) if timeout_s is None else timeout_s)
    notify(env, record, "stop")


async def end(env: ContainersEnv, record: ContainerRecord, number: int, timeout_s: int) -> None:
    """Make a running container end for good, its restart policy notwithstanding."""
    live = env.live.of(record.id)
    live.stop_asked = True
    exited = live.exited.expect()
    try:
        if await give_up_restart(env, record.id):
            return
        await deliver(env, record.id, number)
        limit_s = None if timeout_s < 0 else float(timeout_s)
        if await _happens(exited, limit_s):
            return
        await deliver(env, record.id, KILL)
        if not await _happens(exited, _KILL_TIMEOUT_S):
            raise WillNotDie(record.id)
    finally:
        exited.cancel()


async def deliver(env: ContainersEnv, container_id: str, number: int) -> None:
    """Send a signal to the container's process if it has one, and tell of it; thaw for the end."""
    record = env.store.find(container_id)
    monitored = env.live.of(container_id).monitored
    if record is None or monitored is None or not record.state.has_process:
        return
    env.host.runtime.signal(monitored.pid, number)
    notify(env, record, "kill", signal=str(number))
    if record.state.status is Status.PAUSED and env.live.of(container_id).stop_asked:
        await _thaw(env, container_id)


async def _thaw(env: ContainersEnv, container_id: str) -> None:
    """Let a frozen process take the signal that is to end it."""
    async with env.live.of(container_id).lock:
        record = env.store.find(container_id)
        if record is None or record.state.status is not Status.PAUSED:
            return
        try:
            await env.host.runtime.resume(runtime_of(env, record.runtime), container_id)
        except RuntimeFailed as error:
            log.info("container.thaw_failed", container_id=container_id, reason=error.message)
            return
        state = moved(record.state, Event.UNPAUSE, container_id)
        await env.store.put(replace(record, state=state))


async def give_up_restart(env: ContainersEnv, container_id: str) -> bool:
    """Take a container out of its back-off: exited now. False when it was in none."""
    live = env.live.of(container_id)
    record = env.store.find(container_id)
    if record is None or record.state.status is not Status.RESTARTING:
        return record is None or not record.state.is_running
    async with live.lock:
        record = env.store.find(container_id)
        if record is None or record.state.status is not Status.RESTARTING:
            return record is None or not record.state.is_running
        if live.retry is not None:
            live.retry.cancel()
            live.retry = None
        state = moved(record.state, Event.GIVE_UP, record.id)
        await env.store.put(replace(record, state=state, stopped_by_user=True))
    live.exited.fire(state.exit_code)
    return True


def stop_signal_of(record: ContainerRecord) -> int:
    """Return the signal that asks this container to end."""
    return parse_signal(record.config.StopSignal) if record.config.StopSignal else TERM


def _timeout_of(record: ContainerRecord) -> int:
    own = record.config.StopTimeout
    return own if isinstance(own, int) else DEFAULT_TIMEOUT_S


async def _happens(future: asyncio.Future[int], limit_s: float | None) -> bool:
    done, _ = await asyncio.wait({future}, timeout=limit_s)
    return bool(done)
