"""Sum up what lists of objects take on disk, for `docker system df`."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET

from api.types.containers import ContainerSummary
from api.types.images import ImageSummary
from api.types.volumes import Volume
from engine.system.env import Usage

_ACTIVE = frozenset({"running", "paused", "restarting"})


def of_volumes(volumes: Sequence[Volume]) -> Usage:
    """Sum volumes that were counted; what no container has can be reclaimed."""
    counted = [(each.UsageData.RefCount, each.UsageData.Size) for each in volumes if each.UsageData]
    return Usage(
        items=volumes,
        active=sum(1 for users, _ in counted if users > 0),
        size=sum(size for _, size in counted),
        reclaimable=sum(size for users, size in counted if users == 0),
    )


def of_containers(containers: Sequence[ContainerSummary]) -> Usage:
    """Sum the writable trees of containers listed with sizes; those at rest can be reclaimed."""
    sizes = [
        (each.State in _ACTIVE, 0 if each.SizeRw is UNSET else each.SizeRw) for each in containers
    ]
    return Usage(
        items=containers,
        active=sum(1 for is_active, _ in sizes if is_active),
        size=sum(size for _, size in sizes),
        reclaimable=sum(size for is_active, size in sizes if not is_active),
    )


def of_images(images: Sequence[ImageSummary], layers_size: int, used_size: int) -> Usage:
    """Sum images listed with their containers counted; layers that they share count once.

    `layers_size` is the bytes of all layers, `used_size` of those under images that containers
    have: what is not among them is reclaimable.
    """
    unused = [each for each in images if each.Containers <= 0]
    return Usage(
        items=images,
        active=len(images) - len(unused),
        size=layers_size,
        reclaimable=layers_size - used_size,
    )
