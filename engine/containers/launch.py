"""Bring a container's process up: mounts, network, files, configuration, monitor, process."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog
from msgspec.structs import replace

from api.errors import SkepError
from api.types.networks import EndpointSettings
from engine.containers.env import ContainersEnv
from engine.containers.etc import write_etc_files
from engine.containers.live import Live
from engine.containers.mounts import ready_mounts
from engine.containers.notify import notify
from engine.containers.process_spec import Rooted, bundle_spec, look_inside
from engine.containers.record import ContainerRecord
from engine.containers.sandbox import open_network, static_endpoints
from engine.containers.teardown import runtime_of, teardown
from engine.core.container_state import Event, moved
from engine.core.errors import RuntimeFailed
from engine.core.health import HealthState, probe_of
from engine.networks.sandbox import Sandbox
from engine.ports.runtime import Monitored, MonitorOrder

log = structlog.get_logger(__name__)

_UNKNOWN_EXIT = 128
_ATTACH_TIMEOUT_S = 10.0


async def launch(env: ContainersEnv, record: ContainerRecord) -> Monitored:
    """Start the process of a container that may start; the record says running then.

    Called with the container's lock. On failure everything is undone, and the record holds the
    error and an exit code of 126, 127 or 128.
    """
    live = env.live.of(record.id)
    if live.teardown is not None:
        await asyncio.shield(live.teardown)
        live.teardown = None
    try:
        sandbox, monitored = await _bring_up(env, record, live)
        record = _running(env, record, sandbox, monitored)
    except BaseException as error:
        await asyncio.shield(_fall_back(env, record, error))
        raise
    live.monitored = monitored
    env.store.set(record)
    notify(env, record, "start")
    await env.store.save(record.id)
    return monitored


async def _bring_up(
    env: ContainersEnv, record: ContainerRecord, live: Live
) -> tuple[Sandbox | None, Monitored]:
    rooted, sandbox = await _both(_open_root(env, record), open_network(env, record))
    spec = await bundle_spec(env, record, rooted, sandbox)
    _, bundle = await asyncio.gather(
        write_etc_files(env, record, sandbox), env.host.bundles.write(record.id, spec)
    )
    config = record.config
    order = MonitorOrder(
        container_id=record.id,
        bundle=bundle,
        runtime=runtime_of(env, record.runtime),
        log_path=Path(record.log_path) if record.log_path else None,
        tty=config.Tty,
        stdin=config.OpenStdin,
        leave_stdin_open=config.OpenStdin and not config.StdinOnce,
    )
    monitored = await env.host.monitor.create(order)
    await _connect_attachers(env, record.id, live, monitored)
    await env.host.runtime.start(order.runtime, record.id)
    return sandbox, monitored


async def _open_root(env: ContainersEnv, record: ContainerRecord) -> Rooted:
    root = await env.images.snapshotter.mount(record.id)
    await ready_mounts(env, record, root)
    return await look_inside(env, record, root)


async def _both(
    first: Coroutine[Any, Any, Rooted], second: Coroutine[Any, Any, Sandbox | None]
) -> tuple[Rooted, Sandbox | None]:
    """Run both to their end, also when one fails: nothing may be made while it is undone.

    A cancelled call cuts the second short, which leaves nothing then, and waits for both as well.
    """
    root, network = asyncio.ensure_future(first), asyncio.ensure_future(second)
    both = asyncio.gather(root, network, return_exceptions=True)
    try:
        await asyncio.shield(both)
    except asyncio.CancelledError:
        network.cancel()
        while not both.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait({both})
        raise
    return root.result(), network.result()


async def _connect_attachers(
    env: ContainersEnv, container_id: str, live: Live, monitored: Monitored
) -> None:
    waiting, live.attachers = live.attachers, []
    for each in waiting:
        try:
            async with asyncio.timeout(_ATTACH_TIMEOUT_S):
                await each.connected(lambda: env.host.monitor.attach(monitored.directory))
        except (SkepError, OSError, TimeoutError) as error:
            # A client that went away must not keep the container from starting.
            log.info("container.attach_failed", container_id=container_id, reason=str(error))


def _running(
    env: ContainersEnv, record: ContainerRecord, sandbox: Sandbox | None, monitored: Monitored
) -> ContainerRecord:
    state = moved(
        record.state,
        Event.STARTED,
        record.id,
        pid=monitored.pid,
        exit_code=0,
        error="",
        oom_killed=False,
        started_ns=env.host.clock.now_ns(),
    )
    return replace(
        record,
        state=state,
        stopped_by_user=False,
        health=HealthState() if probe_of(record.config) else None,
        endpoints=_endpoints(env, record, sandbox),
        ports=sandbox.ports if sandbox else {},
        sandbox_key=sandbox.netns_path if sandbox else "",
    )


def _endpoints(
    env: ContainersEnv, record: ContainerRecord, sandbox: Sandbox | None
) -> dict[str, EndpointSettings]:
    if sandbox is not None:
        return sandbox.endpoints
    return static_endpoints(env, "host") if record.host_config.NetworkMode == "host" else {}


async def _fall_back(env: ContainersEnv, record: ContainerRecord, error: BaseException) -> None:
    await teardown(env, record)
    code = error.exit_code if isinstance(error, RuntimeFailed) else _UNKNOWN_EXIT
    state = moved(
        record.state,
        Event.FAIL,
        record.id,
        pid=0,
        exit_code=code,
        error=error.message if isinstance(error, SkepError) else str(error),
        finished_ns=env.host.clock.now_ns() if record.state.started_ns else 0,
    )
    await env.store.put(replace(record, state=state))
