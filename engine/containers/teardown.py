"""Give back what a container's run took: network, cgroup, mounts, bundle."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import structlog

from api.errors import SkepError
from engine.containers.env import ContainersEnv
from engine.containers.log_rotation import finish_rotating
from engine.containers.mounts import let_go
from engine.containers.record import ContainerRecord
from engine.networks.close_sandbox import close_sandbox
from engine.settings import RuntimeBinary
from engine.volumes.unmount import unmount as unmount_volume

log = structlog.get_logger(__name__)


def runtime_of(env: ContainersEnv, name: str) -> RuntimeBinary:
    """Return the runtime of that name; the default's where the configuration lost it since."""
    settings = env.settings.current
    return settings.runtimes.get(name) or settings.runtimes[settings.default_runtime]


async def teardown(
    env: ContainersEnv, record: ContainerRecord, noted: asyncio.Event | None = None
) -> None:
    """Undo a launch, whole or half done. Every step is tried; what fails is logged.

    The published ports and addresses are given up first, in the first step of the event loop, so
    that whoever hears of the exit finds them free. The bundle, with the monitor's word on the
    exit, goes last, and not before the exit is `noted` on record.
    """
    await asyncio.gather(
        _tried("sandbox", record.id, close_sandbox(env.networks, record.id)),
        _give_back(env, record, noted),
    )


async def _give_back(
    env: ContainersEnv, record: ContainerRecord, noted: asyncio.Event | None
) -> None:
    runtime = runtime_of(env, record.runtime)
    await _tried("runtime", record.id, env.host.runtime.delete(runtime, record.id))
    for mount in record.mounts:
        if mount.volume:
            work = unmount_volume(env.volumes, mount.volume, record.id)
            await _tried("volume", record.id, work)
    if record.host_config.IpcMode == "shareable":
        await _tried("shm", record.id, env.host.files.close_shm(record.id))
    await _tried("root", record.id, env.images.snapshotter.unmount(record.id))
    await _tried("mounts", record.id, let_go(env, record))
    await _tried("log", record.id, finish_rotating(env, record))
    if noted is not None:
        await noted.wait()
    await _tried("bundle", record.id, env.host.bundles.remove(record.id))


async def _tried(part: str, container_id: str, work: Awaitable[None]) -> None:
    try:
        await work
    except SkepError as error:
        log.warning(
            "container.teardown_failed", part=part, container_id=container_id, reason=error.message
        )
