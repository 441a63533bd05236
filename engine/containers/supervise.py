"""Wait for a container's exit, tell it, clean up, and do what its policy says."""

from __future__ import annotations

import asyncio

from msgspec.structs import replace

from api.errors import SkepError, Unavailable
from engine.containers.dispose import auto_remove
from engine.containers.env import ContainersEnv
from engine.containers.health import watch_health
from engine.containers.launch import launch
from engine.containers.log_rotation import rotating
from engine.containers.notify import notify
from engine.containers.record import ContainerRecord
from engine.containers.teardown import teardown
from engine.core.container_state import Event, Status, moved
from engine.core.health import stopped
from engine.core.restart import back_off_s, has_settled, is_due
from engine.networks.close_sandbox import leave_networks
from engine.ports.runtime import Monitored, MonitorExit

_SECOND_NS = 1_000_000_000
_KILLED = 137
_AVAILABLE_AGAIN_S = 2.0


def supervise(env: ContainersEnv, container_id: str, monitored: Monitored) -> None:
    """Begin to wait for the exit, behind the request, and to probe the health until then."""
    env.live.spawn(_watch(env, container_id, monitored), f"watch:{container_id}")
    watch_health(env, env.store.get(container_id))


async def _watch(env: ContainersEnv, container_id: str, monitored: Monitored) -> None:
    with rotating(env, container_id, monitored):
        seen = await env.host.monitor.wait(monitored)
    async with env.live.of(container_id).lock:
        record = env.store.find(container_id)
        if record is not None and record.state.has_process:
            await ended(env, record, seen)


async def ended(env: ContainersEnv, record: ContainerRecord, seen: MonitorExit) -> None:
    """Note an exit: those who wait are told first, disk and kernel follow behind.

    Called with the container's lock. A crash before the record is written is no loss: the
    monitor's exit file stays in the bundle until then.
    """
    live = env.live.of(record.id)
    record, again = _after_exit(env, record, seen)
    env.store.set(record)
    live.monitored = None
    if live.health is not None:
        live.health.cancel()
        live.health = None
    if record.state.oom_killed:
        notify(env, record, "oom")
    ran_s = max(record.state.finished_ns - record.state.started_ns, 0) // _SECOND_NS
    notify(env, record, "die", exitCode=str(record.state.exit_code), execDuration=str(ran_s))
    leave_networks(env.networks, record.id)
    noted = asyncio.Event()
    live.teardown = env.live.spawn(teardown(env, record, noted), f"teardown:{record.id}")
    live.exited.fire(record.state.exit_code)
    try:
        if record.host_config.AutoRemove and not live.keep and not again:
            await auto_remove(env, record, durable=False)
        else:
            await env.store.save(record.id)
    finally:
        noted.set()
    if again:
        schedule_restart(env, record)


def _after_exit(
    env: ContainersEnv, record: ContainerRecord, seen: MonitorExit
) -> tuple[ContainerRecord, bool]:
    live = env.live.of(record.id)
    exit_code = _KILLED if seen.exit_code is None else seen.exit_code
    if has_settled(seen.finished_ns - record.state.started_ns):
        live.failures = 0
        live.attempts = 0
    live.failures = live.failures + 1 if exit_code else 0
    again = not env.live.is_closing and is_due(
        record.host_config.RestartPolicy,
        exit_code=exit_code,
        failures=live.failures,
        stop_asked=live.stop_asked,
    )
    state = moved(
        record.state,
        Event.BACK_OFF if again else Event.EXIT,
        record.id,
        pid=0,
        exit_code=exit_code,
        oom_killed=seen.oom_killed,
        finished_ns=seen.finished_ns,
    )
    return replace(
        record,
        state=state,
        health=stopped(record.health),
        stopped_by_user=live.stop_asked or record.stopped_by_user,
        restart_count=record.restart_count + again,
    ), again


def schedule_restart(env: ContainersEnv, record: ContainerRecord) -> None:
    """Start a container that is in state restarting, after its back-off."""
    live = env.live.of(record.id)
    delay_s = back_off_s(live.attempts)
    live.attempts += 1
    live.retry = env.live.spawn(_retry(env, record.id, delay_s), f"retry:{record.id}")


def start_once_available(env: ContainersEnv, container_id: str) -> None:
    """Start an exited container later: what it needs, managers say, may be there then."""
    live = env.live.of(container_id)
    live.retry = env.live.spawn(
        _retry(env, container_id, _AVAILABLE_AGAIN_S, Status.EXITED), f"retry:{container_id}"
    )


async def _retry(
    env: ContainersEnv, container_id: str, delay_s: float, expected: Status = Status.RESTARTING
) -> None:
    await env.host.clock.sleep(delay_s)
    live = env.live.of(container_id)
    async with live.lock:
        live.retry = None
        record = env.store.find(container_id)
        if record is None or record.state.status is not expected or live.stop_asked:
            return
        try:
            monitored = await launch(env, record)
        except SkepError as error:
            if isinstance(error, Unavailable):
                start_once_available(env, container_id)
            if expected is Status.EXITED:
                return  # that was told
            live.exited.fire(env.store.get(container_id).state.exit_code)
            notify(env, record, "die", exitCode="128", execDuration="0", error=error.message)
            return
        supervise(env, container_id, monitored)
