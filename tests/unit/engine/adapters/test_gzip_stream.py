"""Compression by blocks gives one ordinary gzip member."""

from __future__ import annotations

import gzip
import hashlib
import os
from pathlib import Path

import pytest

from engine.adapters import gzip_stream
from engine.adapters.gzip_stream import GzipStream


async def packed(path: Path) -> tuple[GzipStream, bytes, list[int]]:
    """Return a pass over a file, what came of it, and what was told meanwhile."""
    told: list[int] = []
    stream = GzipStream(path, told.append)
    return stream, b"".join([piece async for piece in stream.pieces()]), told


@pytest.mark.parametrize("size", [0, 1, 4095, 4096, 4097, 8192, 100_000])
async def test_any_size_comes_back(
    size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole blocks, parts of one, nothing; digest and size are of the compressed bytes."""
    monkeypatch.setattr(gzip_stream, "_BLOCK", 4096)
    content = os.urandom(size // 2) + b"words " * size
    path = tmp_path / "file"
    path.write_bytes(content[:size])

    stream, found, told = await packed(path)

    assert content[:size] == gzip.decompress(found)
    assert (f"sha256:{hashlib.sha256(found).hexdigest()}", len(found)) == (
        stream.digest,
        stream.size,
    )
    assert told == sorted(told)
    assert size == (told or [0])[-1]


async def test_what_is_packed_already_is_stored(tmp_path: Path) -> None:
    """Between what is not; it grows by next to nothing, and comes back."""
    noise = os.urandom(2 << 20)
    content = b"words " * 300_000 + noise + b"words " * 300_000
    path = tmp_path / "file"
    path.write_bytes(content)

    _, found, _ = await packed(path)

    assert content == gzip.decompress(found)
    assert len(found) < len(noise) * 1.3


async def test_the_same_file_gives_the_same_bytes(tmp_path: Path) -> None:
    """So a registry that has them need not get them again."""
    path = tmp_path / "file"
    path.write_bytes(b"words and words " * 500_000)

    first, second = await packed(path), await packed(path)

    assert first[1] == second[1]
