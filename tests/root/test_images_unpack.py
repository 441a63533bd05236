"""Unpacking layers that nobody vouches for: what must come out, and what must never go in."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import stat
import struct
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.errors import InvalidArgument
from engine.adapters.overlayfs import OverlaySnapshotter
from engine.ports.storage import Layer
from tests.root.node import wait_until

PARENT = f"sha256:{'0' * 64}"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[OverlaySnapshotter]:
    """Lend an empty snapshotter."""
    found = OverlaySnapshotter(tmp_path)
    yield found
    found.close()


def entry(name: str, kind: bytes = tarfile.REGTYPE, **fields: object) -> tarfile.TarInfo:
    """Return a header."""
    found = tarfile.TarInfo(name)
    found.type = kind
    for key, value in fields.items():
        setattr(found, key, value)
    return found


def packed(*members: tarfile.TarInfo | tuple[tarfile.TarInfo, bytes], pax: bool = True) -> bytes:
    """Return a tar of the members, their contents with them."""
    out = io.BytesIO()
    form = tarfile.PAX_FORMAT if pax else tarfile.GNU_FORMAT
    with tarfile.open(fileobj=out, mode="w", format=form) as tar:
        for member in members:
            header, content = member if isinstance(member, tuple) else (member, b"")
            header.size = len(content)
            tar.addfile(header, io.BytesIO(content))
    return out.getvalue()


async def unpack(
    store: OverlaySnapshotter, root: Path, content: bytes, parent: str | None = None
) -> tuple[Path, Layer]:
    """Unpack a blob under its digest's name, as the blob store has it."""
    blob = root / hashlib.sha256(content).hexdigest()
    blob.write_bytes(content)
    layer = await store.unpack(parent, blob)
    return store.layer_path(layer.chain_id), layer


async def refused(store: OverlaySnapshotter, root: Path, content: bytes) -> str:
    """Return why a blob was refused, after seeing that nothing of it is left."""
    with pytest.raises(InvalidArgument) as found:
        await unpack(store, root, content)
    assert [each.name for each in (root / "layers").iterdir() if each.name != "l"] == []
    return found.value.message


async def test_every_kind_of_entry_keeps_its_attributes(
    store: OverlaySnapshotter, tmp_path: Path
) -> None:
    """Owner, mode with setuid, times, links, devices, fifo, long names, xattrs."""
    long = "/".join(["d" * 90] * 3)
    capability = "\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
    tree, layer = await unpack(store, tmp_path, packed(
        entry("d", tarfile.DIRTYPE, mode=0o2751, uid=7, gid=8, mtime=1000),
        (entry("d/f", mode=0o4755, uid=70000, gid=3_000_000, mtime=2000.5,
               pax_headers={"SCHILY.xattr.user.k": "v",
                            "SCHILY.xattr.security.capability": capability}), b"data"),
        entry("d/hard", tarfile.LNKTYPE, linkname="d/f"),
        entry("soft", tarfile.SYMTYPE, linkname="/etc/passwd", uid=5, mtime=3000),
        entry("null", tarfile.CHRTYPE, devmajor=1, devminor=3, mode=0o666),
        entry("disk", tarfile.BLKTYPE, devmajor=8, devminor=0, mode=0o660),
        entry("pipe", tarfile.FIFOTYPE, mode=0o622),
        (entry(f"{long}/x"), b"deep"),
    ))  # fmt: skip

    found = (tree / "d/f").stat()
    directory = (tree / "d").stat()
    assert (found.st_mode & 0o7777, found.st_uid, found.st_gid) == (0o4755, 70000, 3_000_000)
    assert found.st_mtime == 2000.5
    assert found.st_nlink == 2
    assert os.getxattr(tree / "d/f", "user.k") == b"v"
    assert os.getxattr(tree / "d/f", "security.capability") == capability.encode("latin-1")
    assert (directory.st_mode & 0o7777, directory.st_uid, directory.st_mtime) == (0o2751, 7, 1000)
    assert (tree / "soft").readlink() == Path("/etc/passwd")
    assert (tree / "soft").lstat().st_uid == 5
    assert (tree / "null").stat().st_rdev == os.makedev(1, 3)
    assert stat.S_ISBLK((tree / "disk").stat().st_mode)
    assert stat.S_IMODE((tree / "pipe").stat().st_mode) == 0o622
    assert (tree / long / "x").read_bytes() == b"deep"
    assert layer.size == 8


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress, bytes])
async def test_the_diff_id_is_of_the_uncompressed_tar(
    store: OverlaySnapshotter, tmp_path: Path, compress: Callable[[bytes], bytes]
) -> None:
    """Whatever the blob is compressed by."""
    plain = packed((entry("f"), b"x" * 3_000_000))

    _, layer = await unpack(store, tmp_path, compress(plain))

    assert layer.diff_id == f"sha256:{hashlib.sha256(plain).hexdigest()}"
    assert layer.size == 3_000_000


async def test_whiteouts_become_overlay_s_own(store: OverlaySnapshotter, tmp_path: Path) -> None:
    """A removed file is a device 0/0, an opaque directory an attribute; a base hides nothing."""
    content = packed(
        entry("d", tarfile.DIRTYPE, mode=0o755), entry("d/.wh.gone"), entry("o/.wh..wh..opq"),
        entry("d/.wh..wh.plnk", tarfile.DIRTYPE),
    )  # fmt: skip

    over, _ = await unpack(store, tmp_path, content, PARENT)
    base, _ = await unpack(store, tmp_path, content)

    gone = (over / "d/gone").lstat()
    assert stat.S_ISCHR(gone.st_mode)
    assert gone.st_rdev == 0
    assert os.getxattr(over / "o", "trusted.overlay.opaque") == b"y"
    assert os.listdir(over / "d") == ["gone"]
    assert os.listdir(base / "d") == []


async def test_later_entries_replace_earlier_ones(
    store: OverlaySnapshotter, tmp_path: Path
) -> None:
    """A file becomes a directory and back; a tree gives way to a link, which is not followed."""
    tree, _ = await unpack(store, tmp_path, packed(
        (entry("a"), b"1"), entry("a", tarfile.DIRTYPE, mode=0o755), (entry("a/in"), b"2"),
        (entry("b/deep/er"), b"3"), (entry("b"), b"4"),
        entry("c", tarfile.DIRTYPE, mode=0o755), (entry("c/x"), b"5"),
        entry("c", tarfile.SYMTYPE, linkname="a"), (entry("c"), b"6"),
    ))  # fmt: skip

    assert (tree / "a/in").read_bytes() == b"2"
    assert (tree / "b").read_bytes() == b"4"
    assert (tree / "c").read_bytes() == b"6"
    assert sorted(os.listdir(tree)) == ["a", "b", "c"]


async def test_links_never_lead_outside(store: OverlaySnapshotter, tmp_path: Path) -> None:
    """Writing through links lands inside the layer, where the container would see it too."""
    outside = tmp_path / "outside"
    outside.mkdir()
    up = "/".join([".."] * 20)
    tree, _ = await unpack(store, tmp_path, packed(
        entry("tmp", tarfile.DIRTYPE, mode=0o755),
        entry("abs", tarfile.SYMTYPE, linkname=str(outside)),
        entry("rel", tarfile.SYMTYPE, linkname=f"{up}/tmp"),
        (entry("rel/pwned"), b"x"),
        (entry("/etc/absolute"), b"x"),
    ))  # fmt: skip

    assert (tree / "tmp/pwned").read_bytes() == b"x"
    assert (tree / "etc/absolute").read_bytes() == b"x"
    assert os.listdir(outside) == []


HOSTILE: dict[str, tuple[bytes, str]] = {
    "up": (packed((entry("../up"), b"x")), "outside of the layer"),
    "up inside": (packed((entry("a/../../up"), b"x")), "outside of the layer"),
    "hard link up": (packed(entry("h", tarfile.LNKTYPE, linkname="../../etc/shadow")), "outside"),
    "hard link to the host": (
        packed(entry("h", tarfile.LNKTYPE, linkname="/etc/shadow")), "which the layer lacks",
    ),
    "hard link through a link": (
        packed(entry("e", tarfile.SYMTYPE, linkname="/etc"),
               entry("h", tarfile.LNKTYPE, linkname="e/shadow")),
        "which the layer lacks",
    ),
    "hard link to a directory": (
        packed(entry("d", tarfile.DIRTYPE), entry("h", tarfile.LNKTYPE, linkname="d")),
        "is a directory",
    ),
    "through a dead link": (
        packed(entry("l", tarfile.SYMTYPE, linkname=f"/{tempfile.gettempdir()}/skep-x"),
               (entry("l/x"), b"x")),
        "",
    ),
    "through a file": (packed((entry("f"), b"x"), (entry("f/g"), b"x")), ""),
    "whiteout of ..": (packed(entry("a/.wh..."), pax=False), "whiteout of nothing"),
    "whiteout of .": (packed(entry("a/.wh..")), "whiteout of nothing"),
    "loop": (
        packed(entry("a", tarfile.SYMTYPE, linkname="b"), entry("b", tarfile.SYMTYPE, linkname="a"),
               (entry("a/x"), b"x")),
        "",
    ),
    "name too long": (packed((entry("n" * 300), b"x")), "too long"),
    "negative size": (
        packed((entry("f", pax_headers={"size": "-5"}), b"x")), "negative size",
    ),
    "huge size": (packed((entry("f", pax_headers={"size": "9" * 18}), b"x")), "unexpected end"),
    "no number": (packed((entry("f", pax_headers={"uid": "9" * 100_000}), b"x")), "no number"),
    "owner out of range": (packed((entry("f", pax_headers={"uid": "4294967295"}), b"x")), "owner"),
    "device out of range": (packed(entry("d", tarfile.CHRTYPE, devmajor=1 << 20)), "out of range"),
    "xattr bomb": (
        packed((entry("f", pax_headers={"SCHILY.xattr.user.x": "x" * 70_000}), b"x")), "attribute",
    ),
    "extension bomb": (
        packed((entry("f", pax_headers={"comment": "x" * (2 << 20)}), b"x")), "extension header",
    ),
    "cut": (packed((entry("f"), b"x" * 5000))[:2000], "unexpected end"),
    "damaged": (packed((entry("f"), b"x"))[1:] + b"\0", "invalid tar header"),
    "damaged gzip": (gzip.compress(packed((entry("f"), os.urandom(5000))))[:-600], "gzip"),
    "damaged zstd": (zstandard.compress(b"x" * 5000)[:8] + b"\xff" * 20, ""),
    "unknown kind": (packed(entry("f", b"Z")), "unknown kind"),
    "huge file": (packed((entry("f", pax_headers={"GNU.sparse.map": "0,1",
                          "GNU.sparse.size": str(1 << 62)}), b"x")), "too large"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "words"), HOSTILE.values(), ids=HOSTILE.keys())
async def test_a_hostile_layer_is_refused_and_leaves_nothing(
    store: OverlaySnapshotter, tmp_path: Path, content: bytes, words: str
) -> None:
    """Each attack gets its reason."""
    assert words.lower() in (await refused(store, tmp_path, content)).lower()


async def test_attributes_that_steer_overlayfs_are_dropped(
    store: OverlaySnapshotter, tmp_path: Path
) -> None:
    """A layer cannot redirect a directory into another layer."""
    headers = {"SCHILY.xattr.trusted.overlay.redirect": "/etc"}
    tree, _ = await unpack(
        store, tmp_path, packed(entry("d", tarfile.DIRTYPE, pax_headers=headers))
    )

    assert os.listxattr(tree / "d") == []


async def test_a_sparse_file_takes_no_space(store: OverlaySnapshotter, tmp_path: Path) -> None:
    """A terabyte of holes, in the GNU form that tar --sparse writes and in PAX 0.1."""
    size = 1 << 40
    headers = {"GNU.sparse.map": f"0,3,{size - 3},3", "GNU.sparse.size": str(size)}
    tree, _ = await unpack(store, tmp_path, packed((entry("f", pax_headers=headers), b"abcxyz")))

    found = (tree / "f").stat()
    assert (found.st_size, found.st_blocks < 100) == (size, True)
    with (tree / "f").open("rb") as file:
        file.seek(size - 3)
        assert file.read() == b"xyz"


def _run_tar(command: str) -> None:
    subprocess.run(command.split(), check=True)


async def test_gnu_tar_s_sparse_and_long_names_are_read(
    store: OverlaySnapshotter, tmp_path: Path
) -> None:
    """Type S as the tar program writes it."""
    source = tmp_path / "source"
    source.mkdir()
    with (source / ("s" * 150)).open("wb") as file:
        for at in range(0, 20 << 20, 1 << 20):
            file.seek(at)
            file.write(struct.pack("Q", at))
    for form in ("gnu", "pax"):
        archive = tmp_path / f"{form}.tar"
        options = f"--sparse --format={form} --hole-detection=seek"
        _run_tar(f"tar -C {source} {options} -cf {archive} .")

        tree, _ = await unpack(store, tmp_path, archive.read_bytes())

        assert (tree / ("s" * 150)).read_bytes() == (source / ("s" * 150)).read_bytes()


NAMES = st.lists(
    st.sampled_from(["..", ".", "a", "b", "l", "etc", "", "/", ".wh.a", ".wh..wh..opq", "\u00fc"]),
    min_size=1, max_size=6,
).map("/".join)  # fmt: skip
KINDS = st.sampled_from(
    [tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE]
)
OUTSIDE = "/tmp/skep-canary"
MEMBERS = st.lists(
    st.tuples(
        NAMES, KINDS, st.one_of(NAMES, st.just(OUTSIDE), st.just("/")), st.binary(max_size=9)
    ),
    max_size=12,
)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(members=MEMBERS, parent=st.sampled_from([None, PARENT]))
async def test_no_tar_touches_the_outside(
    members: list[tuple[str, bytes, str, bytes]], parent: str | None
) -> None:
    """Whatever the entries: unpacked or refused, a canary beside the layer stays as it was."""
    with tempfile.TemporaryDirectory(prefix="skep-canary-") as place:
        root = Path(place)
        (root / "canary").write_bytes(b"alive")
        content = packed(*[
            (entry(name, kind, linkname=link.replace(OUTSIDE, place)),
             data if kind == tarfile.REGTYPE else b"")
            for name, kind, link, data in members
        ])  # fmt: skip
        store = OverlaySnapshotter(root)
        try:
            await unpack(store, root, content, parent)
        except InvalidArgument:
            assert [p.name for p in (root / "layers").iterdir() if p.name != "l"] == []
        finally:
            # What was refused is deleted behind, and must not meet the deletion of all.
            wait_until(lambda: not os.listdir(root / "trash"), "the trash to be empty")
            store.close()

        expected = {"canary", "layers", "roots", "trash", hashlib.sha256(content).hexdigest()}
        assert (root / "canary").read_bytes() == b"alive"
        assert set(os.listdir(root)) == expected
