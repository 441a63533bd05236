"""Bring the containers back after a restart of the daemon, whatever moment it ended at.

The kernel is compared with the records: what runs is adopted, what ended meanwhile is told, what
nobody knows is taken away.
"""

from __future__ import annotations

import asyncio

import structlog
from msgspec.structs import replace

from api.errors import Internal, SkepError, Unavailable
from engine.containers.attachments import agree
from engine.containers.dispose import auto_remove, erase
from engine.containers.env import ContainersEnv
from engine.containers.record import ContainerRecord
from engine.containers.start import start
from engine.containers.stop import stop
from engine.containers.supervise import (
    ended,
    schedule_restart,
    start_once_available,
    supervise,
)
from engine.containers.teardown import teardown
from engine.core.container_state import Status
from engine.core.restart import is_due_at_boot
from engine.networks.restore import restore as restore_networks
from engine.ports.runtime import Monitored, MonitorExit
from engine.settings import RuntimeBinary
from engine.volumes.acquire import acquire
from engine.volumes.mount import mount as mount_volume
from engine.volumes.remove import remove as remove_volume

log = structlog.get_logger(__name__)

_PARALLEL_STARTS = 4


async def restore(env: ContainersEnv) -> None:
    """Read the records and make the world fit them; also restores the networks.

    Call after images and volumes were restored, before requests are served.
    """
    await env.store.load()
    await _drop_half_made(env)
    _take_volumes(env)
    adopted = _adopt(env)
    await restore_networks(env.networks, list(adopted))
    for container_id in adopted:
        await agree(env, container_id)
    await _sweep(env, adopted)
    for record in env.store.all():
        await _settle(env, record, adopted.get(record.id))
    _start_those_due(env)


async def shutdown(env: ContainersEnv) -> None:
    """End the work for containers; without live-restore stop them all first."""
    if not env.settings.current.live_restore:
        env.live.is_closing = True
        limit_s = env.settings.current.shutdown_timeout_s
        running = [each for each in env.store.all() if each.state.is_running]
        await asyncio.gather(*(_stop(env, each, limit_s) for each in running))
    await env.live.drain("erase:", 10.0)
    await env.live.drain("teardown:", 10.0)
    await env.live.cancel_all()


async def _stop(env: ContainersEnv, record: ContainerRecord, limit_s: int) -> None:
    try:
        own = record.config.StopTimeout
        await stop(env, record.id, timeout_s=own if isinstance(own, int) else limit_s)
        kept = env.store.find(record.id)
        if kept is not None:
            # The daemon stopped it, not a person: its policy starts it again at the next boot.
            await env.store.put(replace(kept, stopped_by_user=record.stopped_by_user))
    except SkepError as error:
        log.warning("container.stop_failed", container_id=record.id, reason=error.message)


async def _drop_half_made(env: ContainersEnv) -> None:
    """Take back creations that were cut short: a record whose writable tree was never made."""
    trees = env.images.snapshotter.known()
    for record in env.store.all():
        if record.id in trees and record.state.status is not Status.REMOVING:
            continue
        log.info("container.half_made", container_id=record.id)
        for mount in record.mounts:
            if mount.anonymous and mount.volume:
                await _remove_volume(env, mount.volume)
        await teardown(env, record)
        await erase(env, record)


async def _remove_volume(env: ContainersEnv, name: str) -> None:
    try:
        await remove_volume(env.volumes, name, force=True)
    except SkepError as error:
        log.info("container.volume_kept", volume=name, reason=error.message)


def _take_volumes(env: ContainersEnv) -> None:
    for record in env.store.all():
        for mount in record.mounts:
            if mount.volume and env.volumes.store.find(mount.volume) is not None:
                acquire(env.volumes, mount.volume, record.id)


def _adopt(env: ContainersEnv) -> dict[str, Monitored]:
    """Return the monitors that still hold a process of containers that ought to run."""
    found = {}
    for record in env.store.all():
        if record.state.has_process:
            monitored = env.host.monitor.adopt(env.host.bundles.directory(record.id))
            if monitored is not None:
                found[record.id] = monitored
    return found


async def _sweep(env: ContainersEnv, adopted: dict[str, Monitored]) -> None:
    """Remove what starts and removals left half done, of containers known and unknown.

    Containers whose exit nobody saw keep their bundle: the exit file is in it, and is read next.
    """
    records = {record.id: record for record in env.store.all()}
    waiting = {each.id for each in records.values() if each.state.has_process}
    settings = env.settings.current
    fallback = settings.runtimes[settings.default_runtime]
    for container_id in await env.host.runtime.known() | await env.host.bundles.known():
        if container_id in adopted or container_id in waiting:
            continue
        record = records.get(container_id)
        if record is not None:
            await teardown(env, record)
        else:
            await _remove_unknown(env, container_id, fallback)
    for container_id in env.images.snapshotter.known() - set(records):
        await env.images.snapshotter.remove(container_id)
    for container_id in await env.volumes.pins.known() - set(records):
        await env.volumes.pins.release(container_id)
    for container_id in await env.host.files.known() - set(records):
        await env.host.files.remove(container_id)


async def _remove_unknown(env: ContainersEnv, container_id: str, runtime: RuntimeBinary) -> None:
    log.info("container.unknown_removed", container_id=container_id)
    try:
        await env.host.runtime.delete(runtime, container_id)
        await env.host.bundles.remove(container_id)
    except SkepError as error:
        log.warning("container.sweep_failed", container_id=container_id, reason=error.message)


async def _settle(env: ContainersEnv, record: ContainerRecord, monitored: Monitored | None) -> None:
    """Bring one container's record in line with what became of it."""
    if not record.state.has_process:
        return
    if monitored is None:
        await _tell_missed_exit(env, record)
        return
    env.live.of(record.id).monitored = monitored
    for mount in record.mounts:
        if mount.volume:
            await mount_volume(env.volumes, mount.volume, record.id, mount.destination)
    supervise(env, record.id, monitored)


async def _tell_missed_exit(env: ContainersEnv, record: ContainerRecord) -> None:
    """Note an exit that happened while no daemon looked; without a trace it is a SIGKILL."""
    seen = env.host.monitor.last_exit(env.host.bundles.directory(record.id))
    if seen is None:
        seen = MonitorExit(None, oom_killed=False, finished_ns=env.host.clock.now_ns())
    env.live.of(record.id).stop_asked = record.stopped_by_user
    try:
        async with env.live.of(record.id).lock:
            await ended(env, record, seen)
    except Internal as error:
        # A full disk: readers see the exit all the same, and can remove what fills it.
        log.warning("container.exit_not_written", container_id=record.id, reason=error.message)


def _start_those_due(env: ContainersEnv) -> None:
    gate = asyncio.Semaphore(_PARALLEL_STARTS)
    for record in env.store.all():
        if record.state.status is Status.RESTARTING and env.live.of(record.id).retry is None:
            schedule_restart(env, record)
        elif record.state.status is Status.EXITED and is_due_at_boot(
            record.host_config.RestartPolicy,
            exit_code=record.state.exit_code,
            failures=1,
            stop_asked=record.stopped_by_user,
        ):
            env.live.spawn(_start(env, record.id, gate), f"boot:{record.id}")
        elif record.host_config.AutoRemove and record.state.status is Status.EXITED:
            env.live.spawn(_finish_auto_remove(env, record.id), f"erase:{record.id}")


async def _start(env: ContainersEnv, container_id: str, gate: asyncio.Semaphore) -> None:
    async with gate:
        try:
            await start(env, container_id)
        except SkepError as error:
            log.warning(
                "container.boot_start_failed", container_id=container_id, reason=error.message
            )
            if isinstance(error, Unavailable):
                start_once_available(env, container_id)


async def _finish_auto_remove(env: ContainersEnv, container_id: str) -> None:
    async with env.live.of(container_id).lock:
        record = env.store.find(container_id)
        if record is not None and record.state.status is Status.EXITED:
            await auto_remove(env, record)
