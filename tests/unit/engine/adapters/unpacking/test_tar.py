"""The tar parser against Python's own writer, and against noise."""

from __future__ import annotations

import contextlib
import io
import tarfile

from hypothesis import given
from hypothesis import strategies as st

from engine.adapters.unpacking import tar
from engine.adapters.unpacking.source import Stream, decompressed
from engine.adapters.unpacking.tree import clean

NAME = st.text(st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1)
PATHS = st.lists(NAME, min_size=1, max_size=40).map("/".join)
FORMS = st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])


def parsed(content: bytes) -> list[tuple[bytes, int, int, bytes]]:
    """Return name, owner, whole mtime and data of each file."""
    source = Stream(iter([content]))
    return [
        (each.name, each.uid, each.mtime_ns // 10**9, source.read(each.size))
        for each in tar.entries(source)
    ]


@given(
    files=st.lists(
        st.tuples(PATHS, st.integers(0, 2**32 - 2), st.integers(0, 2**34), st.binary()), max_size=5
    ),
    form=FORMS,
)
def test_what_tarfile_writes_is_read(files: list[tuple[str, int, int, bytes]], form: int) -> None:
    """Long names, large numbers and any content, in both extended forms."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for name, uid, mtime, content in files:
            entry = tarfile.TarInfo(name)
            entry.uid, entry.mtime, entry.size = uid, mtime, len(content)
            archive.addfile(entry, io.BytesIO(content))

    found = parsed(out.getvalue())

    assert [(name.encode(), *rest) for name, *rest in files] == found


@given(noise=st.binary(max_size=3000), prefix=st.booleans())
def test_noise_is_refused_or_empty(noise: bytes, prefix: bool) -> None:
    """Any bytes end in entries or a TarError, never in another exception."""
    out = io.BytesIO()
    if prefix:
        with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
            archive.addfile(tarfile.TarInfo("n" * 200))
    content = out.getvalue()[:1536] + noise
    with contextlib.suppress(tar.TarError):
        parsed(content)


@given(noise=st.binary(max_size=300))
def test_damaged_compression_is_refused(noise: bytes) -> None:
    """Each magic number with noise behind it."""
    for magic in (b"\x1f\x8b\x08\x00", b"\x28\xb5\x2f\xfd", b"BZh9", b"\xfd7zXZ\0"):
        reader = io.BytesIO(magic + noise)
        try:
            b"".join(decompressed(reader.read))
        except tar.TarError:
            continue


@given(path=st.lists(st.sampled_from(["..", ".", "", "a", "b"])).map("/".join))
def test_a_clean_path_stays_inside(path: str) -> None:
    """Relative, without `..`, or refused."""
    try:
        found = clean(path.encode())
    except tar.TarError:
        return
    assert not found.startswith(b"/")
    assert b".." not in found.split(b"/")
