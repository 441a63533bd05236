"""What is written as a tar is read the same by two readers."""

from __future__ import annotations

import io
import os
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.adapters.trees import tarwriter
from engine.adapters.trees.tarwriter import Member, SmallOutput, TooMuch, header
from engine.adapters.unpacking import tar
from engine.adapters.unpacking.source import Stream

names = st.binary(min_size=1, max_size=300).filter(
    lambda name: b"\0" not in name and not name.endswith(b"/")
)


def member(name: bytes, kind: bytes = tarwriter.REGULAR, **fields: object) -> Member:
    """Return a member of a file of nobody's."""
    stats = os.stat_result((0o640, 0, 0, 1, 0, 0, 0, 0, 0, 0), {"st_mtime_ns": 0})
    found = Member(name, kind, stats)
    for key, value in fields.items():
        setattr(found, key, value)
    return found


@given(
    name=names,
    link=names,
    uid=st.integers(0, (1 << 32) - 2),
    gid=st.integers(0, (1 << 32) - 2),
    mtime_s=st.integers(-(1 << 33), 1 << 36),
    value=st.binary(max_size=2000),
)
def test_our_reader_reads_what_was_written(
    name: bytes, link: bytes, uid: int, gid: int, mtime_s: int, value: bytes
) -> None:
    """Whatever does not fit a header goes into records."""
    written = member(
        name, tarwriter.SYMLINK, link=link, uid=uid, gid=gid, mtime_s=mtime_s,
        xattrs={"user.x": value},
    )  # fmt: skip

    (read,) = tar.entries(Stream(iter((header(written) + bytes(1024),))))

    assert (read.name, read.link, read.uid, read.gid) == (name, link, uid, gid)
    assert read.mtime_ns == mtime_s * 1_000_000_000
    assert read.xattrs == {b"user.x": value}


def test_python_s_reader_reads_large_numbers() -> None:
    """A file of more than 8 GiB, an owner beyond seven octal digits."""
    written = member(b"big", size=9 << 30, uid=3_000_000)

    with tarfile.open(fileobj=io.BytesIO(header(written) + bytes(512)), mode="r|") as read:
        first = read.next()

    assert first is not None
    assert (first.size, first.uid, first.mode) == (9 << 30, 3_000_000, 0o640)


def test_a_device_keeps_its_number() -> None:
    """Major and minor."""
    (read,) = tar.entries(
        Stream(iter((header(member(b"d", tarwriter.CHAR, device=(1, 3))) + bytes(1024),)))
    )

    assert read.device == (1, 3)


def test_a_small_output_gives_up_when_it_grows() -> None:
    """So that a large tree is left to a process of its own."""
    output = SmallOutput(10_000)
    for _ in range(20):
        output.add(member(b"x"))

    with pytest.raises(TooMuch):
        output.content()
