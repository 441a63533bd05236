"""Tell what volumes take on disk."""

from __future__ import annotations

from api.types.volumes import Volume, VolumeUsage
from engine.volumes.env import VolumesEnv
from engine.volumes.inspect import to_api


async def usage(env: VolumesEnv) -> list[Volume]:
    """Return every volume with its size in bytes and how many containers have it."""
    found: list[Volume] = []
    for record in env.store.all():
        size = await env.disk.usage(record.name)
        counted = VolumeUsage(RefCount=len(env.store.holders(record.name)), Size=size)
        found.append(to_api(env, record, counted))
    return found
