"""Images for other machines, and what is shown of manifests."""

from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import msgspec
import pytest

from api.errors import NotFound
from engine.core.manifest import Platform
from engine.images.history import history
from engine.images.inspect import inspect
from engine.images.list import list_images
from engine.images.load import load
from engine.images.save import save
from tests.root.image_store import Images, decoded, pieces
from tests.root.images import busybox_archive

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

AMD64 = Platform(os="linux", architecture="amd64")
ARM64 = Platform(os="linux", architecture="arm64")
NOW = (1, 56)


async def loaded(tmp_path: Path) -> Images:
    """Return a store with busybox, for amd64, in it."""
    images = Images(tmp_path)
    await images.load(busybox_archive())
    return images


async def saved(images: Images, *platforms: Platform) -> dict[str, bytes]:
    """Return the members of a saved busybox by name."""
    content = b"".join([piece async for piece in save(images.env, ["busybox"], platforms)])
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        files = {entry.name: tar.extractfile(entry) for entry in tar if entry.isfile()}
        return {name: file.read() for name, file in files.items() if file is not None}


async def test_manifests_are_shown_when_asked_for(tmp_path: Path) -> None:
    """The digest is the one that a saved archive has; sizes are those of the files."""
    images = await loaded(tmp_path)
    blobs = tmp_path / "images" / "blobs" / "sha256"
    stored = sum(path.stat().st_size for path in blobs.iterdir())

    (row,) = list_images(images.env, {}, manifests=True, version=NOW)
    shown: dict[str, Any] = msgspec.to_builtins(row)["Manifests"][0]
    inspected = msgspec.to_builtins(
        inspect(images.env, "busybox", version=NOW, manifests=True)
    )["Manifests"]  # fmt: skip

    members = await saved(images)
    assert [shown] == inspected
    assert shown["ID"] == json.loads(members["index.json"])["manifests"][0]["digest"]
    assert stored + shown["Descriptor"]["size"] == shown["Size"]["Content"]
    assert shown["Size"]["Total"] == shown["Size"]["Content"] + row.Size
    assert ("image", True) == (shown["Kind"], shown["Available"])
    assert {"architecture": "amd64", "os": "linux"} == shown["ImageData"]["Platform"]


async def test_manifests_are_not_shown_to_who_did_not_ask(tmp_path: Path) -> None:
    """Older clients decode strictly."""
    images = await loaded(tmp_path)

    row = msgspec.to_builtins(list_images(images.env, {}, version=NOW)[0])

    assert "Manifests" not in row
    assert "Manifests" not in msgspec.to_builtins(inspect(images.env, "busybox", version=NOW))


async def test_an_image_of_another_platform_is_not_taken_for_the_one_asked_for(
    tmp_path: Path,
) -> None:
    """By no verb: the words name both."""
    images = await loaded(tmp_path)
    words = r"its platform \(linux/amd64\) does not match the specified platform \(linux/arm64\)"

    with pytest.raises(NotFound, match=words):
        inspect(images.env, "busybox", version=NOW, platform=ARM64)
    with pytest.raises(NotFound, match=words):
        history(images.env, "busybox", ARM64)
    with pytest.raises(NotFound, match=words):
        save(images.env, ["busybox"], [ARM64])
    assert await saved(images, ARM64, AMD64) == await saved(images)


async def test_an_archive_of_another_platform_is_refused_and_leaves_nothing(
    tmp_path: Path,
) -> None:
    """`docker load --platform`."""
    images = Images(tmp_path)
    empty = images.on_disk()

    with pytest.raises(NotFound, match="does not match the specified platform"):
        async for _ in load(images.env, pieces(busybox_archive()), quiet=True, platform=ARM64):
            pass
    accepted = load(images.env, pieces(busybox_archive()), quiet=True, platform=AMD64)

    assert empty == images.on_disk()
    lines = decoded(b"".join([line async for line in accepted]))
    assert "Loaded image: busybox:latest\n" == lines[-1]["stream"]
