"""Bring the volumes back after a restart of the daemon."""

from __future__ import annotations

import structlog

from api.errors import SkepError
from engine.volumes.env import VolumesEnv

log = structlog.get_logger(__name__)


async def restore(env: VolumesEnv) -> None:
    """Read the records, finish removals that were cut short, see that directories exist.

    Who has and who mounts the volumes, the containers' own restore tells by `acquire` and
    `mount`. Directories that no record names are left alone: they may be somebody's data.
    """
    await env.store.load()
    await env.disk.sweep()
    for record in env.store.removals():
        await env.disk.unmount(record.name)
        await env.disk.remove(record.name)
        await env.store.drop(record.name)
    for record in env.store.all():
        try:
            await env.disk.create(record.name)
        except SkepError as error:
            log.warning("volume.unusable", volume=record.name, reason=error.message)
