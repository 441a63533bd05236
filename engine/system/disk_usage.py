"""Tell what images, containers and volumes take on disk."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from msgspec import UNSET, UnsetType

from api.errors import InvalidArgument
from api.types.system import LegacyDataUsage, SystemDataUsage, UsageGroup
from engine.system.env import SystemEnv, Usage, UsageKind, Version

_BUILDER_SIZE_UNTIL = (1, 42)
_KINDS: tuple[UsageKind, ...] = ("container", "image", "volume", "build-cache")


async def disk_usage(
    env: SystemEnv, kinds: Collection[str], version: Version, *, is_verbose: bool = False
) -> SystemDataUsage:
    """Return totals by kind, all kinds when none is named; items too when verbose.

    Errors:  InvalidArgument on an unknown kind.
    """
    found = await _gather(env, kinds, version)

    def group(kind: UsageKind) -> UsageGroup | UnsetType:
        usage = found.get(kind)
        if usage is None:
            return UNSET
        return UsageGroup(
            ActiveCount=usage.active,
            TotalCount=len(usage.items),
            Reclaimable=usage.reclaimable,
            TotalSize=usage.size,
            Items=list(usage.items) if is_verbose and usage.items else UNSET,
        )

    return SystemDataUsage(
        ImageUsage=group("image"),
        ContainerUsage=group("container"),
        VolumeUsage=group("volume"),
        BuildCacheUsage=group("build-cache"),
    )


async def legacy_disk_usage(
    env: SystemEnv, kinds: Collection[str], version: Version
) -> LegacyDataUsage:
    """Return the objects with their sizes, as API versions before 1.52 have it."""
    found = await _gather(env, kinds, version)

    def items(kind: UsageKind) -> list[object] | UnsetType:
        usage = found.get(kind)
        return UNSET if usage is None else list(usage.items)

    images = found.get("image")
    return LegacyDataUsage(
        LayersSize=UNSET if images is None else images.size,
        Images=items("image"),
        Containers=items("container"),
        Volumes=items("volume"),
        BuildCache=items("build-cache"),
        BuilderSize=0 if version < _BUILDER_SIZE_UNTIL else UNSET,
    )


async def _gather(
    env: SystemEnv, kinds: Collection[str], version: Version
) -> dict[UsageKind, Usage]:
    unknown = [kind for kind in kinds if kind not in _KINDS]
    if unknown:
        raise InvalidArgument(f"unknown object type: {unknown[0]}")
    wanted = [kind for kind in _KINDS if not kinds or kind in kinds]
    usages = await asyncio.gather(*(_usage(env, kind, version) for kind in wanted))
    return dict(zip(wanted, usages, strict=True))


async def _usage(env: SystemEnv, kind: UsageKind, version: Version) -> Usage:
    ask = env.usages.get(kind)
    return Usage() if ask is None else await ask(version)
