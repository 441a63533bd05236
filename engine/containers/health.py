"""Probe the containers that have a health check: one small task each, asleep between probes."""

from __future__ import annotations

import asyncio

import structlog
from msgspec.structs import replace

from api.errors import SkepError
from api.ids import new_id
from api.types.exec import ExecCreateRequest
from engine.containers.env import ContainersEnv
from engine.containers.exec_create import publish
from engine.containers.exec_instance import ExecInstance
from engine.containers.exec_process import prepare_process
from engine.containers.notify import notify
from engine.containers.record import ContainerRecord
from engine.core.container_state import Status
from engine.core.health import (
    NO_EXIT_CODE,
    HealthState,
    Probe,
    ProbeResult,
    clipped,
    delay_ns,
    judged,
    probe_of,
    timed_out_text,
)
from engine.ports.runtime import Monitored, MonitorStream

log = structlog.get_logger(__name__)

_SECOND_NS = 1_000_000_000
_KEPT_BYTES = 1 << 13
_END_TIMEOUT_S = 10.0


def watch_health(env: ContainersEnv, record: ContainerRecord) -> None:
    """Begin to probe a container that just started, or was found running; fine without a check."""
    probe = probe_of(record.config)
    if probe is not None:
        live = env.live.of(record.id)
        if live.health is not None:
            live.health.cancel()
        live.health = env.live.spawn(
            _watch(env, record.id, record.state.started_ns, probe), f"health:{record.id}"
        )


async def _watch(env: ContainersEnv, container_id: str, started_ns: int, probe: Probe) -> None:
    """Probe until this run of the container ended. Frozen ones are passed over."""
    while (record := _same_run(env, container_id, started_ns)) is not None:
        health = record.health or HealthState()
        ran_ns = env.host.clock.now_ns() - started_ns
        await env.host.clock.sleep(delay_ns(health, probe, ran_ns) / _SECOND_NS)
        record = _same_run(env, container_id, started_ns)
        if record is None or record.state.status is not Status.RUNNING:
            continue
        result = await _run(env, record, probe)
        await _note(env, container_id, started_ns, probe, result)


def _same_run(env: ContainersEnv, container_id: str, started_ns: int) -> ContainerRecord | None:
    record = env.store.find(container_id)
    if record is None or not record.state.has_process or record.state.started_ns != started_ns:
        return None
    return record


async def _note(
    env: ContainersEnv, container_id: str, started_ns: int, probe: Probe, result: ProbeResult
) -> None:
    """Keep a result; a change of status is told, and written to the records."""
    async with env.live.of(container_id).lock:
        record = _same_run(env, container_id, started_ns)
        if record is None or record.state.status is not Status.RUNNING:
            # What a frozen or ended container did to its probe says nothing.
            return
        before = record.health or HealthState()
        health = judged(before, probe, result, started_ns)
        record = replace(record, health=health)
        env.store.set(record)
        if health.status is not before.status:
            notify(env, record, f"health_status: {health.status}")
            await env.store.save(container_id)


async def _run(env: ContainersEnv, record: ContainerRecord, probe: Probe) -> ProbeResult:
    """Run a probe to its end or its time-out; it is nobody's exec, and inspect does not show it."""
    start_ns = env.host.clock.now_ns()
    request = ExecCreateRequest(Cmd=probe.command, AttachStdout=True, AttachStderr=True)
    instance = ExecInstance(id=new_id(), container_id=record.id, request=request)
    words = " ".join(probe.command)
    publish(env, record, instance, f"exec_create: {words}")
    publish(env, record, instance, f"exec_start: {words}")
    try:
        order = await prepare_process(env, record, instance, None)
        monitored, stream = await env.host.monitor.exec(order)
        exit_code, output = await _follow(env, monitored, stream, probe)
        publish(env, record, instance, "exec_die", exitCode=str(exit_code))
    except SkepError as error:
        exit_code, output = NO_EXIT_CODE, error.message
    finally:
        await env.host.bundles.remove_exec(record.id, instance.id)
    return ProbeResult(
        start_ns=start_ns, end_ns=env.host.clock.now_ns(), exit_code=exit_code, output=output
    )


async def _follow(
    env: ContainersEnv, monitored: Monitored, stream: MonitorStream | None, probe: Probe
) -> tuple[int, str]:
    """Return exit code and output; a probe that takes too long is killed."""
    output = bytearray()
    reading = asyncio.ensure_future(_gather(env, monitored, stream, output))
    timing = asyncio.ensure_future(env.host.clock.sleep(probe.timeout_ns / _SECOND_NS))
    try:
        await asyncio.wait({reading, timing}, return_when=asyncio.FIRST_COMPLETED)
        if reading.done():
            return reading.result(), clipped(bytes(output))
        env.host.runtime.kill_group(monitored.pid)
        await asyncio.wait({reading}, timeout=_END_TIMEOUT_S)
        return NO_EXIT_CODE, timed_out_text(probe, bytes(output))
    finally:
        if not reading.done():
            env.host.runtime.kill_group(monitored.pid)
        reading.cancel()
        timing.cancel()
        if stream is not None:
            stream.close()
        await asyncio.gather(reading, timing, return_exceptions=True)


async def _gather(
    env: ContainersEnv, monitored: Monitored, stream: MonitorStream | None, output: bytearray
) -> int:
    while stream is not None and (piece := await stream.read()) is not None:
        output += piece[1][: _KEPT_BYTES - len(output)]
    seen = await env.host.monitor.wait(monitored)
    return NO_EXIT_CODE if seen.exit_code is None else seen.exit_code
