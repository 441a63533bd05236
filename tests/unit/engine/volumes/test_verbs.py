"""Verbs on volumes, on fakes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from api.errors import Conflict, Internal, InvalidArgument, NoSuchVolume, NotFound
from api.filters import Filters
from engine.core.volume import ANONYMOUS_LABEL
from engine.events.bus import EventBus
from engine.volumes.acquire import acquire
from engine.volumes.copy_up import copy_up
from engine.volumes.create import create
from engine.volumes.env import VolumesEnv, mountpoint
from engine.volumes.inspect import inspect
from engine.volumes.list import list_volumes
from engine.volumes.mount import mount
from engine.volumes.prune import prune
from engine.volumes.release import release
from engine.volumes.remove import remove
from engine.volumes.restore import restore
from engine.volumes.store import VolumeStore
from engine.volumes.unmount import unmount
from engine.volumes.usage import usage
from tests.fakes.clock import FakeClock
from tests.fakes.pinned_paths import FakePinnedPaths
from tests.fakes.records import FakeRecords
from tests.fakes.volume_disk import FakeVolumeDisk

TMPFS = {"type": "tmpfs", "device": "tmpfs"}


class Bench:
    """An environment of fakes, its parts at hand."""

    def __init__(self) -> None:
        self.records = FakeRecords()
        self.disk = FakeVolumeDisk()
        self.clock = FakeClock()
        self.events = EventBus(self.clock)
        self.env = VolumesEnv(
            VolumeStore(self.records), self.disk, self.events, self.clock, FakePinnedPaths()
        )

    def told(self) -> list[tuple[str, str]]:
        """Return the events so far as (action, actor)."""
        return [(each.Action, each.Actor.ID) for each in self.events.past(None, None)]

    def restarted(self) -> Bench:
        """Return a bench on the same records and disk, as after a kill of the daemon."""
        fresh = Bench()
        fresh.records, fresh.disk = self.records, self.disk
        fresh.env = VolumesEnv(
            VolumeStore(self.records), self.disk, fresh.events, fresh.clock, FakePinnedPaths()
        )
        return fresh


@pytest.fixture
def bench() -> Bench:
    """Return an engine without volumes."""
    return Bench()


async def test_created_volume_is_shown(bench: Bench) -> None:
    await create(bench.env, "data", labels={"tier": "db"})

    shown = inspect(bench.env, "data")

    assert ("data", "local", "local", {"tier": "db"}, None) == (
        shown.Name,
        shown.Driver,
        shown.Scope,
        shown.Labels,
        shown.Options,
    )
    assert "2023-11-14T22:13:20Z" == shown.CreatedAt
    assert str(mountpoint(bench.env, "data")) == shown.Mountpoint
    assert [("create", "data")] == bench.told()


async def test_same_name_again_is_the_same_volume(bench: Bench) -> None:
    first = await create(bench.env, "data", labels={"a": "1"})

    assert first is await create(bench.env, "data", labels={"b": "2"})
    assert [("create", "data")] == bench.told()


async def test_same_name_with_other_options_keeps_what_it_is(bench: Bench) -> None:
    """As the reference: a compose file that was changed does not lose its volume."""
    first = await create(bench.env, "data", options=TMPFS)

    assert first is await create(bench.env, "data", options={"device": "/srv", "o": "bind"})


async def test_concurrent_creates_make_one(bench: Bench) -> None:
    made = await asyncio.gather(*(create(bench.env, "data") for _ in range(20)))

    assert 1 == len({id(each) for each in made})
    assert [("create", "data")] == bench.told()


async def test_anonymous_volume_has_id_and_label(bench: Bench) -> None:
    record = await create(bench.env)

    assert 64 == len(record.name)
    assert {ANONYMOUS_LABEL: ""} == record.labels


async def test_other_driver_is_not_found(bench: Bench) -> None:
    with pytest.raises(NotFound, match='plugin "rexray" not found'):
        await create(bench.env, "data", driver="rexray")


async def test_refused_name_leaves_nothing(bench: Bench) -> None:
    with pytest.raises(InvalidArgument):
        await create(bench.env, "../etc")

    assert not bench.disk.present
    assert not bench.records.documents


async def test_failed_disk_leaves_no_record(bench: Bench) -> None:
    bench.disk.is_failing = True

    with pytest.raises(Internal):
        await create(bench.env, "data")

    assert not bench.records.documents
    assert bench.env.store.find("data") is None


async def test_failed_record_leaves_no_directory(bench: Bench) -> None:
    bench.records.is_failing = True

    with pytest.raises(Internal):
        await create(bench.env, "data")

    assert not bench.disk.present
    assert bench.env.store.find("data") is None
    assert [] == bench.told()


async def test_volume_in_use_is_not_removed_even_by_force(bench: Bench) -> None:
    await create(bench.env, "data")
    acquire(bench.env, "data", "c1")
    acquire(bench.env, "data", "c2")

    with pytest.raises(Conflict) as refusal:
        await remove(bench.env, "data", force=True)

    assert "remove data: volume is in use - [c1, c2]" == refusal.value.message


async def test_released_volume_is_removed(bench: Bench) -> None:
    await create(bench.env, "data")
    acquire(bench.env, "data", "c1")
    release(bench.env, "data", "c1")
    release(bench.env, "data", "c1")

    await remove(bench.env, "data")

    assert not bench.disk.present
    assert not bench.records.documents
    assert ("destroy", "data") == bench.told()[-1]
    with pytest.raises(NoSuchVolume, match="get data: no such volume"):
        inspect(bench.env, "data")


async def test_removal_of_nothing_is_forgiven_by_force_alone(bench: Bench) -> None:
    await remove(bench.env, "none", force=True)

    with pytest.raises(NoSuchVolume):
        await remove(bench.env, "none")


async def test_volume_cannot_be_acquired_while_it_leaves(bench: Bench) -> None:
    await create(bench.env, "data")
    removal = asyncio.create_task(remove(bench.env, "data"))
    await asyncio.sleep(0)
    assert bench.env.store.find("data") is None

    with pytest.raises(NoSuchVolume):
        acquire(bench.env, "data", "c1")
    await removal


async def test_device_is_mounted_by_the_first_and_unmounted_by_the_last(bench: Bench) -> None:
    await create(bench.env, "scratch", options=TMPFS)

    where = await mount(bench.env, "scratch", "c1")
    await mount(bench.env, "scratch", "c2")
    await unmount(bench.env, "scratch", "c1")
    still = dict(bench.disk.mounted)
    await unmount(bench.env, "scratch", "c2")
    await unmount(bench.env, "scratch", "c2")

    assert mountpoint(bench.env, "scratch") == where
    assert {"scratch": TMPFS} == still
    assert {} == bench.disk.mounted
    assert ["create", "mount", "mount", "unmount", "unmount"] == [act for act, _ in bench.told()]


async def test_failed_mount_is_not_counted(bench: Bench) -> None:
    await create(bench.env, "scratch", options=TMPFS)
    bench.disk.is_failing = True

    with pytest.raises(Internal):
        await mount(bench.env, "scratch", "c1")

    assert [] == bench.env.store.mounters("scratch")


async def test_copy_is_staged_only_while_no_other_container_runs(bench: Bench) -> None:
    await create(bench.env, "data")
    await mount(bench.env, "data", "c1")
    await copy_up(bench.env, Path("/root1"), "/var/www", "data")
    await mount(bench.env, "data", "c2")
    await copy_up(bench.env, Path("/root2"), "/var/www", "data", "sub")

    assert [
        ("data", "", "/root1/var/www", True),
        ("data", "sub", "/root2/var/www", False),
    ] == bench.disk.copies


async def test_removal_cut_short_is_finished_at_start(bench: Bench) -> None:
    await create(bench.env, "data")
    await create(bench.env, "other")
    record = bench.env.store.get("data")
    await bench.env.store.put(msgspec.structs.replace(record, removing=True))

    after = bench.restarted()
    await restore(after.env)

    assert {"other"} == after.disk.present
    assert ["other"] == [each.name for each in after.env.store.all()]
    assert after.disk.was_swept


async def test_volumes_survive_a_restart(bench: Bench) -> None:
    await create(bench.env, "data", labels={"tier": "db"}, options=TMPFS)

    after = bench.restarted()
    await restore(after.env)

    assert inspect(bench.env, "data") == inspect(after.env, "data")


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, ["cache", "data", "data2"]),
        ({"name": ["data"]}, ["data", "data2"]),
        ({"name": ["^data$"]}, ["data"]),
        ({"name": ["^c", "2$"]}, ["cache", "data2"]),
        ({"label": ["tier"]}, ["data"]),
        ({"label": ["tier=web"]}, []),
        ({"driver": ["local"]}, ["cache", "data", "data2"]),
        ({"driver": ["nfs"]}, []),
        ({"dangling": ["true"]}, ["cache", "data2"]),
        ({"dangling": ["0"]}, ["data"]),
    ],
)
async def test_list_filters(bench: Bench, wanted: dict[str, list[str]], found: list[str]) -> None:
    await create(bench.env, "data", labels={"tier": "db"})
    await create(bench.env, "data2")
    await create(bench.env, "cache")
    acquire(bench.env, "data", "c1")

    assert found == [each.Name for each in list_volumes(bench.env, Filters(wanted)).Volumes]


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"colour": ["red"]}, "invalid filter 'colour'"),
        ({"dangling": ["maybe"]}, r"invalid filter 'dangling=\[maybe\]'"),
        ({"dangling": ["true", "false"]}, "invalid filter 'dangling="),
    ],
)
def test_wrong_filter_is_refused(bench: Bench, wanted: dict[str, list[str]], words: str) -> None:
    with pytest.raises(InvalidArgument, match=words):
        list_volumes(bench.env, Filters(wanted))


@pytest.mark.parametrize(
    ("wanted", "is_all", "kept"),
    [
        ({}, False, ["kept", "named", "old"]),
        ({}, True, ["kept"]),
        ({"all": ["true"]}, False, ["kept"]),
        ({"all": ["false"]}, True, ["kept", "named", "old"]),
        ({"all": ["1"], "label": ["age=old"]}, False, ["kept", "named"]),
        ({"all": ["1"], "label!": ["age"]}, False, ["kept", "old"]),
    ],
)
async def test_prune_takes_anonymous_unused_ones_unless_told(
    bench: Bench, wanted: dict[str, list[str]], is_all: bool, kept: list[str]
) -> None:
    await create(bench.env, "named")
    await create(bench.env, "old", labels={"age": "old"})
    await create(bench.env, "kept")
    acquire(bench.env, "kept", "c1")
    anonymous = (await create(bench.env)).name

    answer = await prune(bench.env, Filters(wanted), is_all=is_all)

    left = [each.name for each in bench.env.store.all() if each.name != anonymous]
    assert kept == left
    assert 4096 * len(answer.VolumesDeleted) == answer.SpaceReclaimed
    assert "prune" == bench.told()[-1][0]


async def test_usage_counts_bytes_and_users(bench: Bench) -> None:
    await create(bench.env, "data")
    acquire(bench.env, "data", "c1")

    (volume,) = await usage(bench.env)

    assert volume.UsageData
    assert (1, 4096) == (volume.UsageData.RefCount, volume.UsageData.Size)
