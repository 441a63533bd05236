"""GET /system/df in its two forms."""

from __future__ import annotations

import msgspec
import pytest

from api.errors import InvalidArgument
from api.types.images import ImageSummary
from api.types.volumes import Volume, VolumeUsage
from engine.events.bus import EventBus
from engine.settings import LiveSettings, Settings
from engine.system.disk_usage import disk_usage, legacy_disk_usage
from engine.system.env import Counts, SystemEnv, Usage, Version
from engine.system.totals import of_images, of_volumes
from tests.fakes.clock import FakeClock
from tests.fakes.host import FakeHost

NOW = (1, 56)
VOLUMES = [
    Volume(Name="used", UsageData=VolumeUsage(RefCount=2, Size=100)),
    Volume(Name="free", UsageData=VolumeUsage(RefCount=0, Size=30)),
]


def environment() -> SystemEnv:
    """Return a system with two volumes and nothing else."""
    clock = FakeClock()

    async def volumes(_: Version) -> Usage:
        return of_volumes(VOLUMES)

    return SystemEnv(
        settings=LiveSettings(Settings()),
        events=EventBus(clock),
        clock=clock,
        host=FakeHost(),
        version="0.1.0",
        counts=Counts,
        usages={"volume": volumes},
    )


async def test_totals_by_kind() -> None:
    found = msgspec.to_builtins(await disk_usage(environment(), [], NOW))

    assert {
        "ActiveCount": 1,
        "TotalCount": 2,
        "Reclaimable": 30,
        "TotalSize": 130,
    } == found["VolumeUsage"]
    assert 0 == found["BuildCacheUsage"]["TotalSize"]


async def test_items_come_when_asked_for() -> None:
    found = await disk_usage(environment(), ["volume"], NOW, is_verbose=True)

    assert found.VolumeUsage
    assert VOLUMES == found.VolumeUsage.Items


async def test_only_kinds_asked_for_are_counted() -> None:
    found = msgspec.to_builtins(await disk_usage(environment(), ["volume"], NOW))

    assert ["VolumeUsage"] == list(found)


async def test_old_versions_get_the_objects() -> None:
    found = await legacy_disk_usage(environment(), [], (1, 43))

    assert VOLUMES == found.Volumes
    assert [] == found.Containers
    assert 0 == found.LayersSize


async def test_unknown_kind_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="unknown object type: cake"):
        await disk_usage(environment(), ["volume", "cake"], NOW)


async def test_shared_layers_are_reclaimable_only_with_the_last_image() -> None:
    """Layers under an image in use are not, however many unused images have them too."""
    used = ImageSummary(Created=0, Id="a", Labels=None, RepoDigests=[], RepoTags=[], Size=70,
                        SharedSize=50, Containers=1)  # fmt: skip
    free = ImageSummary(Created=0, Id="b", Labels=None, RepoDigests=[], RepoTags=[], Size=80,
                        SharedSize=50, Containers=0)  # fmt: skip

    found = of_images([used, free], layers_size=100, used_size=70)

    assert (1, 100, 30) == (found.active, found.size, found.reclaimable)
