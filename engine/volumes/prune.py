"""Remove the volumes that no container has."""

from __future__ import annotations

from api.errors import Conflict, NotFound
from api.filters import Filters
from api.types.volumes import VolumesPruneResponse
from engine.core.volume import ANONYMOUS_LABEL
from engine.core.volume_filters import PRUNE_KEYS, labelled
from engine.volumes.env import VolumesEnv
from engine.volumes.remove import remove


async def prune(env: VolumesEnv, wanted: Filters, *, is_all: bool = False) -> VolumesPruneResponse:
    """Remove unused anonymous volumes; all unused ones by the filter `all` or when `is_all`.

    `is_all` is how API versions before 1.42 have it. One that gets a user meanwhile is kept.
    Errors:  InvalidFilter.
    """
    wanted.check(PRUNE_KEYS)
    every = wanted.flag("all") or (is_all and "all" not in wanted)
    removed: list[str] = []
    freed = 0
    for record in env.store.all():
        is_anonymous = ANONYMOUS_LABEL in (record.labels or {})
        if not (every or is_anonymous) or not labelled(wanted, record.labels):
            continue
        if env.store.holders(record.name):
            continue
        size = await env.disk.usage(record.name)
        try:
            await remove(env, record.name)
        except (Conflict, NotFound):
            continue
        removed.append(record.name)
        freed += size
    env.events.publish("volume", "prune", "", {"reclaimed": str(freed)})
    return VolumesPruneResponse(removed, freed)
