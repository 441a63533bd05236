"""Places held fast for the runtime, on the real kernel."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from api.errors import InvalidArgument, NotFound
from engine.adapters.pinned_paths import BoundPaths

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
async def pins(tmp_path: Path) -> AsyncIterator[BoundPaths]:
    """Return places of one container, released at the end."""
    paths = BoundPaths(tmp_path / "mounts")
    yield paths
    await paths.release("c1")


def _mounted() -> str:
    return Path("/proc/self/mountinfo").read_text()


async def test_what_was_found_stays_though_its_name_is_exchanged(
    pins: BoundPaths, tmp_path: Path
) -> None:
    """Attack, CVE-2021-25741: a link to the host in the place of what was looked at."""
    volume, host = tmp_path / "volume", tmp_path / "host"
    (volume / "sub").mkdir(parents=True)
    (volume / "sub/mine").touch()
    host.mkdir()

    held = await pins.pin("c1", 0, volume, "sub")
    (volume / "sub").rename(volume / "old")
    (volume / "sub").symlink_to(host)

    assert os.listdir(held) == ["mine"]


async def test_no_link_leads_outside(pins: BoundPaths, tmp_path: Path) -> None:
    """Links are followed as if the volume were the whole world."""
    volume = tmp_path / "volume"
    volume.mkdir()
    (volume / "out").symlink_to(tmp_path)
    (volume / "loop").symlink_to("loop")

    with pytest.raises(NotFound, match="no such file or directory"):
        await pins.pin("c1", 0, volume, "out/volume")
    with pytest.raises(InvalidArgument):
        await pins.pin("c1", 1, volume, "loop")
    with pytest.raises(InvalidArgument):
        await pins.pin("c1", 2, volume, "a\0b")
    assert os.listdir(await pins.pin("c1", 3, volume, "../../..")) == os.listdir(volume)


async def test_a_file_is_held_as_well_and_all_is_given_back(
    pins: BoundPaths, tmp_path: Path
) -> None:
    """Release leaves neither mount nor directory; a second one is fine."""
    volume = tmp_path / "volume"
    volume.mkdir()
    (volume / "file").write_text("hi")

    held = await pins.pin("c1", 0, volume, "file")
    again = await pins.pin("c1", 0, volume, "file")
    content = held.read_text()
    await pins.release("c1")
    await pins.release("c1")

    assert (held, content) == (again, "hi")
    assert await pins.known() == set()
    assert str(tmp_path) not in _mounted()
