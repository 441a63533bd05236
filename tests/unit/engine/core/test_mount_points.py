"""The mounts that a container gets."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import InvalidArgument
from api.types.containers import (
    BindOptions,
    HostConfig,
    ImageOptions,
    Mount,
    TmpfsOptions,
    VolumeOptions,
)
from engine.core.mount_points import (
    DuplicateMount,
    MountRecord,
    parse_bind,
    parse_mount,
    plan_mounts,
)

OUTSIDE = VolumeOptions(Subpath="../x")
ODD = BindOptions(Propagation="odd")
BOTH = BindOptions(ReadOnlyNonRecursive=True, ReadOnlyForceRecursive=True)
SHALLOW = BindOptions(ReadOnlyNonRecursive=True)
DEEP_SLAVE = BindOptions(ReadOnlyForceRecursive=True, Propagation="rslave")
UPWARD = ImageOptions(Subpath="a/../../b")


@pytest.mark.parametrize(
    ("text", "kind", "source", "volume", "read_only"),
    [
        ("/src:/dst", "bind", "/src", "", False),
        ("/src:/dst:ro", "bind", "/src", "", True),
        ("/src/../x:/dst:rw,z", "bind", "/x", "", False),
        ("data:/dst", "volume", "", "data", False),
        ("data:/dst:nocopy,ro", "volume", "", "data", True),
        ("/dst", "volume", "", "", False),
    ],
)
def test_binds_are_paths_or_volumes(
    text: str, kind: str, source: str, volume: str, read_only: bool
) -> None:
    """A source that begins with a slash is a host path, any other a volume."""
    mount = parse_bind(text)

    assert ("/dst", kind, source, volume, read_only) == (
        mount.destination, mount.kind, mount.source, mount.volume, mount.read_only,
    )  # fmt: skip


@pytest.mark.parametrize(
    "text",
    ["", ":", "a:", ":/b", "/a:/b:ro:x", "/a:b", "/a:/", "/a:/b:rx", "/a:/b:ro,rw", "/a:ro",
     "../x:/b", "./x:/b", "a/b:/c", "/a:/b/../..", "/a:/b:nocopy", "v:/b:rshared", "/a:/b\0c"],
)  # fmt: skip
def test_malformed_binds_are_refused(text: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(InvalidArgument):
        parse_bind(text)


@given(st.text(alphabet="/:.,ab\0-ronwz", max_size=20))
def test_any_bind_is_parsed_or_refused(text: str) -> None:
    """Whatever comes, destinations are absolute, clean and not the root."""
    try:
        mount = parse_bind(text)
    except InvalidArgument:
        return

    assert mount.destination.startswith("/")
    assert mount.destination != "/"
    assert ".." not in mount.destination.split("/")


@pytest.mark.parametrize(
    ("mount", "words"),
    [
        (Mount(Type="bind", Source="/a"), "field Target must not be empty"),
        (Mount(Type="bind", Target="/b"), "field Source must not be empty"),
        (Mount(Type="bind", Target="b", Source="/a"), "mount path must be absolute"),
        (Mount(Type="bind", Target="/b", Source="a"), "mount path must be absolute"),
        (Mount(Type="bind", Target="/", Source="/a"), "destination can't be '/'"),
        (Mount(Type="odd", Target="/b"), "mount type unknown"),
        (Mount(Type="tmpfs", Target="/b", Source="x"), "field Source must not be specified"),
        (
            Mount(Type="tmpfs", Target="/b", BindOptions=BindOptions(Propagation="slave")),
            "field BindOptions must not be specified",
        ),
        (
            Mount(Type="volume", Target="/b", Source="vol", VolumeOptions=OUTSIDE),
            "subpath must be a relative path within the volume",
        ),
        (
            Mount(Type="bind", Target="/b", Source="/a", BindOptions=ODD),
            "invalid propagation mode: odd",
        ),
        (
            Mount(Type="bind", Target="/b", Source="/a", ReadOnly=True, BindOptions=BOTH),
            "mount options conflict: ReadOnlyNonRecursive && ReadOnlyForceRecursive",
        ),
        (
            Mount(Type="bind", Target="/b", Source="/a", BindOptions=SHALLOW),
            "ReadOnlyNonRecursive needs ReadOnly",
        ),
        (
            Mount(Type="bind", Target="/b", Source="/a", ReadOnly=True, BindOptions=DEEP_SLAVE),
            "ReadOnlyForceRecursive needs the propagation to be rprivate",
        ),
        (Mount(Type="image", Target="/b"), "field Source must not be empty"),
        (
            Mount(Type="image", Target="/b", Source="x", ImageOptions=UPWARD),
            "subpath must be a relative path within the image",
        ),
        (
            Mount(Type="tmpfs", Target="/b", TmpfsOptions=TmpfsOptions(SizeBytes=-1)),
            "size must not be negative",
        ),
        (
            Mount(Type="volume", Target="/b", Source="a b"),
            'create a b: "a b" includes invalid characters for a local volume name',
        ),
    ],
)  # fmt: skip
def test_malformed_mounts_say_what_is_wrong(mount: Mount, words: str) -> None:
    """The words that clients know, with the type before them."""
    with pytest.raises(InvalidArgument) as raised:
        parse_mount(mount)

    assert words in raised.value.message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("va:rel", "'va:rel': invalid mount config for type \"volume\": invalid mount path: 'rel'"),
        ("va:/", 'invalid mount config for type "volume": invalid specification'),
        ("/a:/b:nocopy", 'config for type "bind": field VolumeOptions must not be specified'),
        ("va:/b:shared", 'config for type "volume": field BindOptions must not be specified'),
        ("/a:/b:z,Z", "invalid mode: z,Z"),
    ],
)
def test_malformed_binds_say_what_is_wrong(text: str, words: str) -> None:
    """As the reference answers the same."""
    with pytest.raises(InvalidArgument) as raised:
        parse_bind(text)

    assert words in raised.value.message


def test_an_image_is_mounted_read_only() -> None:
    """Whatever is asked for."""
    mount = parse_mount(Mount(Type="image", Target="/i", Source="busybox", ReadOnly=False))

    assert ("image", "busybox", True) == (mount.kind, mount.source, mount.read_only)


def test_tmpfs_options_become_mount_words() -> None:
    """Size in bytes, mode in octal."""
    mount = parse_mount(
        Mount(Type="tmpfs", Target="/t", TmpfsOptions=TmpfsOptions(SizeBytes=4096, Mode=0o1777))
    )

    assert ["size=4096", "mode=1777"] == mount.options


@pytest.mark.parametrize(
    "host_config",
    [
        HostConfig(Binds=["/a:/d", "/b:/d/"]),
        HostConfig(Binds=["/a:/d"], Mounts=[Mount(Type="volume", Target="/d")]),
        HostConfig(Binds=["/a:/d"], Tmpfs={"/d": ""}),
    ],
)
def test_two_mounts_on_one_place_are_refused(host_config: HostConfig) -> None:
    """Docker's words."""
    with pytest.raises(DuplicateMount, match="Duplicate mount point: /d"):
        plan_mounts(host_config, {}, {})


def test_image_volumes_fill_only_free_places() -> None:
    """What the user mounts hides the image's volume."""
    mounts = plan_mounts(HostConfig(Binds=["/a:/d"]), {"/d": {}, "/e": {}}, {})

    assert [("bind", "/d"), ("volume", "/e")] == [(m.kind, m.destination) for m in mounts]


def test_outer_mounts_come_before_inner_ones() -> None:
    """Or the outer would hide the inner."""
    mounts = plan_mounts(HostConfig(Binds=["/a:/x/y/z", "/b:/x"]), {"/x/y": {}}, {})

    assert ["/x", "/x/y", "/x/y/z"] == [m.destination for m in mounts]


def _other(read_only: bool = False) -> MountRecord:
    return MountRecord(kind="volume", destination="/d", volume="v", read_only=read_only)


@pytest.mark.parametrize(
    ("text", "mount", "read_only"),
    [("o", _other, False), ("o:ro", _other, True), ("o:rw", lambda: _other(read_only=True), True)],
)
def test_volumes_from_may_only_take_rights_away(
    text: str, mount: Callable[[], MountRecord], read_only: bool
) -> None:
    """A mount that is read-only there cannot be written from here."""
    mounts = plan_mounts(HostConfig(VolumesFrom=[text]), {}, {"o": [mount()]})

    assert [read_only] == [m.read_only for m in mounts]
