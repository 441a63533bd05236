"""Remove all containers that do not run."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from msgspec import Struct

from api.errors import SkepError
from engine.containers.env import ContainersEnv
from engine.containers.remove import remove
from engine.core.container_filters import check_prune, fits_labels, fits_no_label, until_ns


class ContainersPruned(Struct, frozen=True):
    """What prune removed, and the bytes that it freed."""

    ContainersDeleted: list[str] | None = None
    SpaceReclaimed: int = 0


async def prune(
    env: ContainersEnv, wanted: Mapping[str, Collection[str]] | None = None
) -> ContainersPruned:
    """Remove stopped containers that fit: label, label!, until (created before then).

    Errors:  InvalidFilter.
    """
    wanted = wanted or {}
    check_prune(wanted)
    now_ns = env.host.clock.now_ns()
    before_ns = min((until_ns(text, now_ns) for text in wanted.get("until", ())), default=now_ns)
    gone: list[str] = []
    freed = 0
    for record in env.store.all():
        labels = record.config.Labels or {}
        if (
            record.state.is_running
            or record.created_ns > before_ns
            or not fits_labels(labels, wanted.get("label", ()))
            or (wanted.get("label!") and not fits_no_label(labels, wanted["label!"]))
        ):
            continue
        try:
            size = await env.images.snapshotter.usage(record.id)
            await remove(env, record.id)
        except SkepError:
            continue  # somebody else started or removed it meanwhile
        gone.append(record.id)
        freed += size
    env.events.publish("container", "prune", "", {"reclaimed": str(freed)})
    return ContainersPruned(gone or None, freed)
