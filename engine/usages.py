"""Ask the other nouns what their objects take on disk, when somebody wants to know."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from engine.containers.env import ContainersEnv
from engine.containers.list import list_containers
from engine.images.layer_sizes import layer_sizes
from engine.images.list import list_images
from engine.system.env import Usage, UsageKind, Version
from engine.system.totals import of_containers, of_images, of_volumes
from engine.volumes.usage import usage as volume_usage

_HEALTH_SINCE = (1, 52)


def usages_of(env: ContainersEnv) -> Mapping[UsageKind, Callable[[Version], Awaitable[Usage]]]:
    """Return the question for each kind; nothing is counted before it is asked."""

    async def images(version: Version) -> Usage:
        rows = list_images(env.images, {}, shared_size=True, version=version)
        return of_images(rows, *layer_sizes(env.images))

    async def containers(version: Version) -> Usage:
        health = version >= _HEALTH_SINCE
        rows = await list_containers(env, everything=True, size=True, health=health)
        return of_containers(rows)

    async def volumes(_: Version) -> Usage:
        return of_volumes(await volume_usage(env.volumes))

    return {"image": images, "container": containers, "volume": volumes}
