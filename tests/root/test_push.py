"""Pushing to a real registry, from the real store."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import os
import shutil
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from api.errors import InvalidArgument
from api.types.registry import AuthConfig
from engine.core.manifest import Platform
from engine.images.pull import pull
from engine.images.push import push
from engine.images.remove import remove
from engine.images.tag import tag
from tests.root.image_store import Images, decoded
from tests.root.images import ImageFile, ImageSpec, busybox_archive, docker_archive, make_layer
from tests.root.node import Node
from tests.root.registry import (
    BINARY,
    DOCKER_MANIFEST,
    RegistryServer,
    digest_of,
    htpasswd_auth,
    meddle,
    run_registry,
)

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(BINARY is None, reason="needs docker-registry"),
]
BIG = make_layer([ImageFile("big", os.urandom(24 << 20))])


@pytest.fixture(scope="module")
def registry() -> Iterator[RegistryServer]:
    """Lend a registry without authentication."""
    with run_registry() as server:
        yield server


@pytest_asyncio.fixture
async def images(tmp_path: Path) -> AsyncIterator[Images]:
    """Lend an image store with busybox in it."""
    found = Images(tmp_path)
    await found.load(busybox_archive())
    yield found
    await found.env.uploads.close()
    await found.env.transfers.close()
    await found.env.registry.close()


async def run_push(
    images: Images, name: str, tag_name: str = "", auth: AuthConfig | None = None
) -> list[dict[str, Any]]:
    """Push, and return all lines decoded."""
    lines = push(images.env, name, tag_name, None, auth)
    return decoded(b"".join([line async for line in lines]))


async def run_pull(images: Images, name: str, auth: AuthConfig | None = None) -> None:
    """Pull a tagged name; fail with the registry's words."""
    repository, _, tag_name = name.rpartition(":")
    stream = await pull(images.env, repository, tag_name, "", auth)
    last = decoded(b"".join([line async for line in stream]))[-1]
    assert "error" not in last, last


def steps(lines: list[dict[str, Any]]) -> set[str]:
    """Return what layers were told to be at, bars left out."""
    return {line["status"] for line in lines if "id" in line and line["status"] != "Pushing"}


def manifest_of(server: RegistryServer, name: str, reference: str) -> tuple[dict[str, Any], str]:
    """Return a manifest that the registry has, and its media type."""
    request = urllib.request.Request(
        f"http://{server.host}/v2/{name}/manifests/{reference}",
        headers={"Accept": f"{DOCKER_MANIFEST}, application/vnd.oci.image.manifest.v1+json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer), answer.headers["Content-Type"]


async def test_what_is_pushed_can_be_pulled_back_as_the_same_image(
    images: Images, registry: RegistryServer
) -> None:
    """In Docker's words; afterwards the image has a digest in that repository."""
    name = f"{registry.host}/p/back"
    image_id = images.env.store.resolve("busybox").id
    await tag(images.env, "busybox", name, "v1")

    lines = await run_push(images, name, "v1")

    assert {"status": f"The push refers to repository [{name}]"} == lines[0]
    assert {"Preparing", "Pushed"} == steps(lines)
    document, media_type = manifest_of(registry, "p/back", "v1")
    aux = lines[-1]["aux"]
    assert f"v1: digest: {aux['Digest']} size: {aux['Size']}" == lines[-2]["status"]
    assert DOCKER_MANIFEST == media_type == document["mediaType"]
    assert f"{name}@{aux['Digest']}" in images.env.store.references(image_id)
    assert "push" == images.actions()[-1]
    await remove(images.env, image_id, force=True)
    await run_pull(images, f"{name}:v1")
    assert image_id == images.env.store.resolve(f"{name}:v1").id


async def test_plain_layers_are_compressed_on_the_way(
    images: Images, registry: RegistryServer
) -> None:
    """One ordinary gzip member, whose content is the layer."""
    name = f"{registry.host}/p/packed"
    await tag(images.env, "busybox", name, "latest")
    stored = images.env.store.resolve("busybox").layer_digests[0]

    await run_push(images, name, "latest")

    layer = manifest_of(registry, "p/packed", "latest")[0]["layers"][0]
    packed = registry.blob_file(layer["digest"]).read_bytes()
    assert layer["size"] == len(packed) < images.env.blobs.size(stored)
    assert stored == digest_of(gzip.decompress(packed))


async def test_a_second_push_sends_nothing(images: Images, registry: RegistryServer) -> None:
    """Not even after a restart; the manifest is the same."""
    name = f"{registry.host}/p/again"
    await tag(images.env, "busybox", name, "latest")
    first = await run_push(images, name, "latest")
    await images.env.store.load()

    second = await run_push(images, name, "latest")

    assert {"Preparing", "Layer already exists"} == steps(second)
    assert first[-1] == second[-1]


async def test_layers_are_mounted_from_another_repository(
    images: Images, registry: RegistryServer
) -> None:
    """Of the same registry, where the engine knows that it has them."""
    for repository in ("p/origin", "p/mounted"):
        await tag(images.env, "busybox", f"{registry.host}/{repository}", "latest")
    await run_push(images, f"{registry.host}/p/origin", "latest")

    async with meddle(registry.host):
        lines = await run_push(images, f"{registry.host}/p/mounted", "latest")

    assert {"Preparing", "Mounted from p/origin"} == steps(lines)


async def test_a_pulled_image_is_pushed_as_it_came(
    images: Images, registry: RegistryServer
) -> None:
    """The manifest is the same to the byte, so the digest is too."""
    pushed = registry.push("p/came", "latest", [make_layer([ImageFile("f", b"x")])])
    await run_pull(images, f"{registry.host}/p/came:latest")
    await tag(images.env, f"{registry.host}/p/came", f"{registry.host}/p/gone", "latest")

    lines = await run_push(images, f"{registry.host}/p/gone", "latest")

    assert pushed.manifest == lines[-1]["aux"]["Digest"]


async def test_all_tags_are_pushed_when_none_is_named(
    images: Images, registry: RegistryServer
) -> None:
    """As `docker push -a` asks for it."""
    name = f"{registry.host}/p/all"
    for each in ("one", "two"):
        await tag(images.env, "busybox", name, each)

    lines = await run_push(images, name)

    assert ["one", "two"] == [line["aux"]["Tag"] for line in lines if "aux" in line]
    assert manifest_of(registry, "p/all", "one") == manifest_of(registry, "p/all", "two")


async def test_what_cannot_be_pushed_is_told_in_dockers_words(
    images: Images, registry: RegistryServer
) -> None:
    """As the last line; nobody is left waiting."""
    name = f"{registry.host}/p/none"
    nowhere = "127.0.0.1:1/x"
    await tag(images.env, "busybox", nowhere, "latest")
    await tag(images.env, "busybox", name, "here")

    assert f"An image does not exist locally with the tag: {registry.host}/p/no" == (
        await run_push(images, f"{registry.host}/p/no", "x")
    )[-1]["error"]  # fmt: skip
    assert f"tag does not exist: {name}:x" == (await run_push(images, name, "x"))[-1]["error"]
    refused = (await run_push(images, nowhere, "latest"))[-1]["error"]
    assert "dial tcp 127.0.0.1:1: connect: connection refused" in refused
    with pytest.raises(InvalidArgument, match="cannot push a digest reference"):
        push(images.env, f"{name}@sha256:{'a' * 64}", "", None, None)


async def test_another_platform_than_asked_for_is_not_pushed(
    images: Images, registry: RegistryServer
) -> None:
    """API 1.46: `platform` chooses among those that are here."""
    await tag(images.env, "busybox", f"{registry.host}/p/arm", "latest")
    wanted = Platform(os="linux", architecture="arm64")

    stream = push(images.env, f"{registry.host}/p/arm", "latest", wanted, None)
    lines = decoded(b"".join([line async for line in stream]))

    assert "wanted linux/arm64, actual: linux/amd64" in lines[-1]["error"]


async def test_credentials_are_needed_where_they_are(images: Images, tmp_path: Path) -> None:
    """None, wrong ones, good ones."""
    if shutil.which("htpasswd") is None:
        pytest.skip("needs htpasswd")
    header = "Basic " + base64.b64encode(b"ann:pw").decode()
    with run_registry(htpasswd_auth(tmp_path, "ann", "pw"), header) as server:
        name = f"{server.host}/private"
        await tag(images.env, "busybox", name, "latest")

        none = await run_push(images, name, "latest")
        wrong = await run_push(images, name, "latest", AuthConfig(username="ann", password="x"))
        right = await run_push(images, name, "latest", AuthConfig(username="ann", password="pw"))

    assert "no basic auth credentials" == none[-1]["error"]
    assert "unauthorized: authentication required" == wrong[-1]["error"]
    assert "latest" == right[-1]["aux"]["Tag"]


async def test_a_broken_connection_is_tried_again(images: Images, registry: RegistryServer) -> None:
    """From the beginning of the layer, with a new session."""
    async with meddle(registry.host) as proxy:
        proxy.cut_after, proxy.cuts = 700, 1
        name = f"{proxy.host}/p/broken"
        await tag(images.env, "busybox", name, "latest")

        lines = await run_push(images, name, "latest")

    assert "aux" in lines[-1]


async def test_a_client_that_vanishes_ends_its_push(
    images: Images, registry: RegistryServer
) -> None:
    """Nothing is left half-done here, and a later push does it all."""
    await images.load(docker_archive([ImageSpec([f"{registry.host}/p/gone2:latest"], [BIG])]))
    before = images.on_disk()
    stream = push(images.env, f"{registry.host}/p/gone2", "latest", None, None)
    async for part in stream:
        if b"Pushing" in part and b'"current"' in part:
            break
    await stream.aclose()  # type: ignore[attr-defined]  # it is a generator

    assert before == images.on_disk()
    assert "aux" in (await run_push(images, f"{registry.host}/p/gone2", "latest"))[-1]


async def test_two_pushes_of_a_layer_send_it_once(images: Images, registry: RegistryServer) -> None:
    """However many ask at the same time."""
    async with meddle(registry.host) as proxy:
        name = f"{proxy.host}/p/twice"
        await images.load(docker_archive([ImageSpec([f"{name}:a", f"{name}:b"], [BIG])]))

        done = await asyncio.gather(run_push(images, name, "a"), run_push(images, name, "b"))

        patches = proxy.requests.count(b"PATCH /v2/p/twice/blobs/uploads/")
    assert all("aux" in lines[-1] for lines in done)
    assert patches <= 3  # the layer, and the small configuration from each


def test_the_command_pushes_and_pulls(daemon: Node, registry: RegistryServer) -> None:
    """As a user types it: all the words come, and the digest that push says is pulled."""
    name = f"{registry.host}/p/typed"
    daemon.docker("tag", "busybox", f"{name}:one")
    daemon.docker("tag", "busybox", f"{name}:two")

    pushed = daemon.docker("push", "-a", name).stdout
    digest = pushed.split("one: digest: ")[1].split()[0]
    daemon.docker("rmi", f"{name}:one", f"{name}:two")
    pulled = daemon.docker("pull", f"{name}@{digest}").stdout
    missing = daemon.docker("push", f"{name}:three", check=False)

    assert f"The push refers to repository [{name}]" in pushed
    assert "two: digest: " + digest in pushed
    assert f"Digest: {digest}" in pulled
    assert "tag does not exist: " in missing.stderr
    assert 1 == missing.returncode
    daemon.docker("rmi", f"{name}@{digest}")
