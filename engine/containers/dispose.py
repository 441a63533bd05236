"""Make a stopped container go: first for those who look, then on disk.

The record is deleted last. So a crash at any moment leaves a record in status removing (or one
that ran with AutoRemove), and the next start of the daemon finishes what was begun.
"""

from __future__ import annotations

from msgspec.structs import replace

from api.errors import SkepError
from engine.containers.env import ContainersEnv
from engine.containers.notify import notify
from engine.containers.record import ContainerRecord
from engine.core.container_state import Event, moved
from engine.volumes.release import release
from engine.volumes.remove import remove as remove_volume
from engine.volumes.unmount import unmount as unmount_volume

__all__ = ["auto_remove", "erase", "vanish"]


async def auto_remove(env: ContainersEnv, record: ContainerRecord, *, durable: bool = True) -> None:
    """Remove a container that asked for it; the clean-up of the disk follows behind.

    Called with the container's lock, in a status that may be removed from. Not `durable` after an
    exit: what is on record says running then, from which a restart comes to the same removal.
    """
    record = await vanish(env, record, volumes=True, durable=durable)
    env.live.spawn(erase(env, record), f"erase:{record.id}")


async def vanish(
    env: ContainersEnv, record: ContainerRecord, *, volumes: bool, durable: bool = True
) -> ContainerRecord:
    """Take a container from sight: name and volumes are free, `destroy` is told, waiters too.

    With `volumes` its anonymous volumes go with it. Called with the container's lock.
    """
    state = moved(record.state, Event.REMOVE, record.id)
    record = replace(record, state=state)
    env.store.set(record)
    if durable:
        await env.store.save(record.id)
    await _let_volumes_go(env, record, remove=volumes)
    env.store.hide(record.id)
    live = env.live.of(record.id)
    notify(env, record, "destroy")
    live.removed.fire(record.state.exit_code)
    return record


async def erase(env: ContainersEnv, record: ContainerRecord) -> None:
    """Delete what is left of a vanished container on disk, its record last. Errors: Internal."""
    live = env.live.of(record.id)
    if live.teardown is not None:
        await live.teardown
    await env.images.snapshotter.remove(record.id)
    await env.host.files.remove(record.id)
    await env.store.drop(record.id)
    env.live.forget(record.id)


async def _let_volumes_go(env: ContainersEnv, record: ContainerRecord, *, remove: bool) -> None:
    for mount in record.mounts:
        if not mount.volume:
            continue
        await unmount_volume(env.volumes, mount.volume, record.id)
        release(env.volumes, mount.volume, record.id)
        if remove and mount.anonymous:
            try:
                await remove_volume(env.volumes, mount.volume, force=True)
            except SkepError:
                # Another container took it by --volumes-from: it stays.
                continue
