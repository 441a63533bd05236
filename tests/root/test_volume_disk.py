"""Volumes on a real disk: what copying keeps, and that nothing leads out."""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from api.errors import Internal
from engine.adapters.tree_copy_process import copy_in_process
from engine.adapters.volume_disk import LocalVolumeDisk

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")


@pytest.fixture
async def disk(tmp_path: Path) -> AsyncIterator[LocalVolumeDisk]:
    """Return an empty store of volumes; what tests leave mounted is taken off."""
    root = tmp_path / "volumes"
    volumes = LocalVolumeDisk(root)
    yield volumes
    await volumes.close()
    for name in os.listdir(root) if root.exists() else []:
        await volumes.unmount(name)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """Return a container root with one of everything in /var/www."""
    root = tmp_path / "root"
    top = root / "var/www"
    top.mkdir(parents=True)
    (top / "page").write_text("hello")
    os.link(top / "page", top / "same-page")
    (top / "tool").write_bytes(b"\x7fELF")
    os.chown(top / "tool", 33, 34)
    os.setxattr(top / "tool", "security.capability", CAPABILITY)
    (top / "tool").chmod(0o4755)
    (top / "link").symlink_to("/etc/passwd")
    os.mkfifo(top / "pipe", 0o640)
    os.mknod(top / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    (top / "null").chmod(0o666)
    (top / "deep/er").mkdir(parents=True)
    os.link(top / "page", top / "deep/er/third-page")
    with (top / "sparse").open("wb") as sparse:
        sparse.seek(8 << 20)
        sparse.write(b"end")
    os.setxattr(top / "deep", "user.note", b"kept")
    os.utime(top / "deep", (1_000, 2_000))
    os.chown(top, 82, 83)
    top.chmod(0o2750)
    return root


async def filled(disk: LocalVolumeDisk, image: Path, *, alone: bool = True) -> Path:
    """Return the content of a volume that /var/www was copied to."""
    await disk.create("data")
    await disk.copy_up("data", "", image, "/var/www", alone=alone)
    return disk.mountpoint("data")


def mounts_on(point: Path) -> int:
    """Return how many mounts are on this directory."""
    return Path("/proc/self/mountinfo").read_text().count(f" {point} ")


@pytest.mark.parametrize("alone", [True, False])
async def test_copy_keeps_everything(disk: LocalVolumeDisk, image: Path, alone: bool) -> None:
    copy = await filled(disk, image, alone=alone)

    source = image / "var/www"
    for path in [source, *sorted(source.rglob("*"))]:
        expected, found = path.lstat(), (copy / path.relative_to(source)).lstat()
        kept = ("st_mode", "st_uid", "st_gid", "st_rdev", "st_mtime_ns", "st_nlink")
        assert [getattr(expected, each) for each in kept] == [
            getattr(found, each) for each in kept
        ], path
    assert "hello" == (copy / "deep/er/third-page").read_text()
    assert (copy / "page").stat().st_ino == (copy / "deep/er/third-page").stat().st_ino
    assert "/etc/passwd" == os.readlink(copy / "link")
    assert CAPABILITY == os.getxattr(copy / "tool", "security.capability")
    assert b"kept" == os.getxattr(copy / "deep", "user.note")


async def test_a_big_tree_is_copied_by_a_process_as_well(
    disk: LocalVolumeDisk, image: Path
) -> None:
    """An image's database of thousands of files must not hold up the engine."""
    for number in range(700):
        (image / f"var/www/deep/file-{number}").write_text(str(number))

    content = await filled(disk, image)

    assert len(os.listdir(content / "deep")) == 701
    assert (content / "deep/file-699").read_text() == "699"
    assert os.getxattr(content / "tool", "security.capability") == CAPABILITY
    assert (content / "page").stat().st_ino == (content / "deep/er/third-page").stat().st_ino
    assert (content.stat().st_uid, stat.S_IMODE(content.stat().st_mode)) == (82, 0o2750)


async def test_a_copying_process_says_why_it_failed(tmp_path: Path) -> None:
    """The kernel's own reason comes through."""
    source, target = tmp_path / "source", tmp_path / "target"
    for each in (source, target):
        each.mkdir()
        (each / "same").mkdir()
    opened = [os.open(each, os.O_RDONLY | os.O_DIRECTORY) for each in (source, target)]

    try:
        with pytest.raises(FileExistsError):
            copy_in_process(*opened)
    finally:
        for fd in opened:
            os.close(fd)


async def test_holes_stay_holes(disk: LocalVolumeDisk, image: Path) -> None:
    copy = await filled(disk, image)

    found = (copy / "sparse").stat()
    assert (8 << 20) + 3 == found.st_size
    assert found.st_blocks * 512 < 1 << 20
    assert (image / "var/www/sparse").read_bytes() == (copy / "sparse").read_bytes()


async def test_volume_that_holds_something_is_left_alone(
    disk: LocalVolumeDisk, image: Path
) -> None:
    await disk.create("data")
    (disk.mountpoint("data") / "mine").write_text("precious")

    await disk.copy_up("data", "", image, "/var/www", alone=True)

    assert ["mine"] == os.listdir(disk.mountpoint("data"))


async def test_empty_source_gives_owner_and_mode(disk: LocalVolumeDisk, tmp_path: Path) -> None:
    source = tmp_path / "root/data"
    source.mkdir(parents=True)
    os.chown(source, 999, 998)
    source.chmod(0o1770)
    await disk.create("data")

    await disk.copy_up("data", "", tmp_path / "root", "/data", alone=True)

    found = disk.mountpoint("data").stat()
    assert (999, 998, 0o1770) == (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode))


async def test_source_that_is_not_there_changes_nothing(
    disk: LocalVolumeDisk, tmp_path: Path
) -> None:
    await disk.create("data")

    await disk.copy_up("data", "", tmp_path, "/none", alone=True)

    assert [] == os.listdir(disk.mountpoint("data"))


@pytest.mark.parametrize("target", ["/etc", "../../../../../../etc", "../etc"])
async def test_link_in_the_image_does_not_lead_to_the_host(
    disk: LocalVolumeDisk, tmp_path: Path, target: str
) -> None:
    """Attack: the image's /data is a link to the host's /etc."""
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/of-image").write_text("")
    (root / "data").symlink_to(target)
    await disk.create("data")

    await disk.copy_up("data", "", root, "/data", alone=True)

    assert ["of-image"] == os.listdir(disk.mountpoint("data"))


async def test_interrupted_copy_leaves_the_volume_empty(
    disk: LocalVolumeDisk, tmp_path: Path
) -> None:
    """Nesting beyond the limit fails in the middle; nothing half-made may stay."""
    root = tmp_path / "root"
    deep = root / "data"
    deep.mkdir(parents=True)
    (deep / "file").write_text("x")
    descriptor = os.open(deep, os.O_RDONLY)
    for _ in range(520):
        os.mkdir("d", dir_fd=descriptor)
        below = os.open("d", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = below
    os.close(descriptor)
    await disk.create("data")

    with pytest.raises(Internal, match=r"nest deeper|too many levels"):
        await disk.copy_up("data", "", root, "/data", alone=True)

    assert [] == os.listdir(disk.mountpoint("data"))
    assert [] == os.listdir(disk.mountpoint("data").parents[1] / ".staging")


async def test_other_users_cannot_walk_in(disk: LocalVolumeDisk, image: Path) -> None:
    """Attack: a host user runs a set-user-id file of a volume; CVE-2021-41091."""
    await filled(disk, image)

    home = disk.mountpoint("data").parent
    assert 0 == home.stat().st_mode & 0o066
    assert 0 == home.parent.stat().st_mode & 0o066


async def test_tmpfs_is_mounted_once_and_taken_off(disk: LocalVolumeDisk) -> None:
    await disk.create("scratch")
    options = {"type": "tmpfs", "device": "tmpfs", "o": "size=1m,mode=0700"}

    await disk.mount("scratch", options)
    await disk.mount("scratch", options)

    point = disk.mountpoint("scratch")
    assert 1 == mounts_on(point)
    assert 1 << 20 == os.statvfs(point).f_blocks * os.statvfs(point).f_frsize
    await disk.unmount("scratch")
    assert 0 == mounts_on(point)


async def test_read_only_bind_is_read_only(disk: LocalVolumeDisk, tmp_path: Path) -> None:
    (tmp_path / "shown").mkdir()
    (tmp_path / "shown/file").write_text("seen")
    await disk.create("shown")

    await disk.mount("shown", {"type": "none", "device": str(tmp_path / "shown"), "o": "bind,ro"})

    assert "seen" == (disk.mountpoint("shown") / "file").read_text()
    with pytest.raises(OSError, match="Read-only"):
        (disk.mountpoint("shown") / "new").write_text("")


async def test_failed_mount_says_why(disk: LocalVolumeDisk) -> None:
    await disk.create("broken")

    with pytest.raises(Internal, match=r"failed to mount local volume: mount /dev/none:.*such"):
        await disk.mount("broken", {"type": "ext4", "device": "/dev/none"})


async def test_unknown_nfs_server_is_told(disk: LocalVolumeDisk) -> None:
    await disk.create("remote")

    with pytest.raises(Internal, match="error resolving passed in network volume address"):
        await disk.mount("remote", {"type": "nfs", "device": ":/x", "o": "addr=nowhere.invalid,rw"})


async def test_removal_follows_no_link(disk: LocalVolumeDisk, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("")
    await disk.create("data")
    (disk.mountpoint("data") / "out").symlink_to(outside)

    await disk.remove("data")
    await disk.close()

    assert (outside / "precious").exists()
    assert not disk.mountpoint("data").parent.exists()
    assert [] == os.listdir(disk.mountpoint("data").parents[1] / ".trash")


async def test_leftovers_are_swept(disk: LocalVolumeDisk) -> None:
    await disk.create("data")
    root = disk.mountpoint("data").parents[1]
    for leftover in (".trash/1/x", ".staging/2/y"):
        (root / leftover).mkdir(parents=True)

    await disk.sweep()

    assert [] == os.listdir(root / ".trash")
    assert [] == os.listdir(root / ".staging")
    assert disk.mountpoint("data").is_dir()


async def test_usage_counts_bytes_and_hard_links_once(disk: LocalVolumeDisk) -> None:
    await disk.create("data")
    content = disk.mountpoint("data")
    (content / "big").write_bytes(b"x" * (1 << 20))
    os.link(content / "big", content / "again")

    assert 1 << 20 == await disk.usage("data")
