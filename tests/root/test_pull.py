"""Pulling from a real registry, into the real store, unpacked by the real unpacker."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from api.errors import Internal, NotFound, SkepError
from api.types.registry import AuthConfig
from engine.adapters.blobs import FileBlobStore
from engine.adapters.clock import SystemClock
from engine.adapters.overlayfs import OverlaySnapshotter
from engine.adapters.registry import DeferredRegistry
from engine.core.manifest import Platform
from engine.core.registry_errors import RegistryUnreachable
from engine.events.bus import EventBus
from engine.images.distribution import distribution
from engine.images.env import ImagesEnv
from engine.images.pull import pull
from engine.images.store import ImageStore
from engine.images.transfers import Transfers, concurrent_uploads
from engine.settings import LiveSettings, Settings
from tests.fakes.records import FakeRecords
from tests.fakes.token_server import serve_tokens
from tests.root.images import ImageFile, busybox_layer, make_layer
from tests.root.registry import (
    BINARY,
    RegistryServer,
    htpasswd_auth,
    meddle,
    run_registry,
)

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(BINARY is None, reason="needs docker-registry"),
]
AMD64 = Platform(os="linux", architecture="amd64")


@pytest.fixture(scope="module")
def registry() -> Iterator[RegistryServer]:
    """Lend a registry without authentication."""
    with run_registry() as server:
        yield server


@pytest_asyncio.fixture
async def env(tmp_path: Path) -> AsyncIterator[ImagesEnv]:
    """Lend an empty image store with real adapters."""
    settings = LiveSettings(Settings(data_root=tmp_path))
    clock = SystemClock()
    env = ImagesEnv(
        settings=settings,
        store=ImageStore(FakeRecords()),
        blobs=FileBlobStore(tmp_path),
        snapshotter=OverlaySnapshotter(tmp_path),
        events=EventBus(clock),
        clock=clock,
        uses=list,
        registry=DeferredRegistry(settings),
        transfers=Transfers(settings),
        uploads=Transfers(settings, concurrent_uploads),
        platform=AMD64,
    )
    yield env
    await env.transfers.close()
    await env.registry.close()


async def run_pull(
    env: ImagesEnv,
    reference: str,
    tag: str = "latest",
    platform: str = "",
    auth: AuthConfig | None = None,
) -> list[dict[str, Any]]:
    """Pull and return the lines."""
    stream = await pull(env, reference, tag, platform, auth)
    text = b"".join([part async for part in stream])
    return [json.loads(line) for line in text.splitlines()]


def statuses(lines: list[dict[str, Any]]) -> list[str]:
    """Return what the lines say, without the moving bars."""
    said = [str(line.get("status", line.get("error"))) for line in lines]
    return [each for each in said if each not in {"Downloading", "Extracting", "Waiting"}]


def big_layer(size: int, name: str = "big") -> bytes:
    """Return a layer that does not compress."""
    return make_layer([ImageFile(name, os.urandom(size))])


async def test_a_pull_by_tag_gives_the_image(env: ImagesEnv, registry: RegistryServer) -> None:
    """The lines are those that the docker command draws; a second pull changes nothing."""
    pushed = registry.push("a/tagged", "latest", [busybox_layer(), big_layer(1000)])
    name = f"{registry.host}/a/tagged"

    lines = await run_pull(env, name)
    again = await run_pull(env, name)

    assert {"status": "Pulling from a/tagged", "id": "latest"} == lines[0]
    assert [f"Digest: {pushed.manifest}"] == [s for s in statuses(lines) if s.startswith("Dig")]
    assert f"Status: Downloaded newer image for {name}:latest" == lines[-1]["status"]
    assert statuses(lines).count("Pull complete") == 2
    assert f"Status: Image is up to date for {name}:latest" == again[-1]["status"]
    assert statuses(again).count("Already exists") == 2
    image = env.store.resolve(f"{name}:latest")
    assert pushed.config == image.id
    assert image == env.store.resolve(f"{name}@{pushed.manifest}")
    assert list(pushed.layers) == image.layer_digests


async def test_a_manifest_list_is_pulled_by_platform(
    env: ImagesEnv, registry: RegistryServer
) -> None:
    """What is recorded as the digest is the list's, as Docker does."""
    images = {
        each: registry.push("a/many", each, [big_layer(10, each)], architecture=each)
        for each in ("arm64", "amd64")
    }
    index = registry.push_index("a/many", "latest", images)
    name = f"{registry.host}/a/many"

    await run_pull(env, name)
    ours = env.store.resolve(name).id
    await run_pull(env, name, index, "linux/arm64")

    assert images["amd64"].config == ours
    assert images["arm64"].config == env.store.resolve(f"{name}@{index}").id
    refused = await run_pull(env, name, "latest", "linux/s390x")
    assert (
        "no matching manifest for linux/s390x in the manifest list entries"
        == (refused[-1]["error"])
    )


async def test_a_registry_can_be_asked_without_pulling(
    env: ImagesEnv, registry: RegistryServer
) -> None:
    """The answer of GET /distribution/{name}/json."""
    image = registry.push("a/seen", "one", [])
    index = registry.push_index("a/seen", "many", {"amd64": image})

    one = msgspec.to_builtins(await distribution(env, f"{registry.host}/a/seen:one", None))
    many = await distribution(env, f"{registry.host}/a/seen:many", None)

    assert image.manifest == one["Descriptor"]["digest"]
    assert [{"architecture": "amd64", "os": "linux"}] == one["Platforms"]
    assert (index, [AMD64]) == (many.descriptor.digest, many.platforms)
    assert not env.store.all()


async def test_registry_that_never_answers_is_not_waited_for(env: ImagesEnv) -> None:
    """`docker service create` asks it first, and would hang as long."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        name = f"127.0.0.1:{silent.getsockname()[1]}/a/b"

        with pytest.raises(RegistryUnreachable, match=r"/a/b/.*no answer within 0.2 seconds"):
            await distribution(env, name, None, 0.2)


async def test_all_tags_are_pulled_when_none_is_named(
    env: ImagesEnv, registry: RegistryServer
) -> None:
    """As `docker pull -a` asks for it."""
    for tag in ("one", "two"):
        registry.push("a/all", tag, [big_layer(10)])
    name = f"{registry.host}/a/all"

    lines = await run_pull(env, name, "")

    assert ["one", "two"] == [ref.rpartition(":")[2] for ref in sorted(env.store.by_reference())
                              if "@" not in ref]  # fmt: skip
    assert f"Status: Downloaded newer image for {name}" == lines[-1]["status"]


async def test_what_is_not_there_is_told_in_dockers_words(
    env: ImagesEnv, registry: RegistryServer
) -> None:
    """Before the first line, so that the status is right."""
    registry.push("a/here", "latest", [])
    name = f"{registry.host}/a/here"

    with pytest.raises(NotFound, match=f"manifest for {name}:no not found: manifest unknown: man"):
        await pull(env, name, "no", "", None)
    with pytest.raises(Internal, match=r"dial tcp 127.0.0.1:1: connect: connection refused"):
        await pull(env, "127.0.0.1:1/x", "latest", "", None)


async def test_basic_auth_takes_the_users_credentials(env: ImagesEnv, tmp_path: Path) -> None:
    """And says so when there are none or wrong ones."""
    if shutil.which("htpasswd") is None:
        pytest.skip("needs htpasswd")
    auth = AuthConfig(username="ann", password="p:w")
    header = "Basic " + base64.b64encode(b"ann:p:w").decode()
    with run_registry(htpasswd_auth(tmp_path, "ann", "p:w"), header) as server:
        server.push("private", "latest", [])
        name = f"{server.host}/private"

        with pytest.raises(Internal, match="no basic auth credentials"):
            await pull(env, name, "latest", "", None)
        with pytest.raises(Internal, match="unauthorized: authentication required"):
            await pull(env, name, "latest", "", AuthConfig(username="ann", password="x"))
        lines = await run_pull(env, name, auth=auth)

        assert lines[-1]["status"].startswith("Status: Downloaded newer image")
        with pytest.raises(Internal, match="no basic auth credentials"):
            await pull(env, name, "latest", "", None)


async def test_a_cut_connection_is_resumed_where_it_ended(
    env: ImagesEnv, registry: RegistryServer
) -> None:
    """By a Range request, not from the beginning."""
    registry.push("a/cut", "latest", [big_layer(6 << 20)])
    async with meddle(registry.host) as proxy:
        proxy.cut_after, proxy.cuts = 3 << 20, 1

        lines = await run_pull(env, f"{proxy.host}/a/cut")

        assert b"Range: bytes=" in proxy.requests
        assert lines[-1]["status"].startswith("Status: Downloaded")


async def test_a_corrupted_layer_is_refused_and_leaves_nothing(
    env: ImagesEnv, registry: RegistryServer
) -> None:
    """Attack 8: the digest is what was asked for, or there is no image."""
    marker = b"marker-of-the-layer" * 10
    pushed = registry.push(
        "a/lie", "latest", [make_layer([ImageFile("x", marker)])], compress=False
    )
    async with meddle(registry.host) as proxy:
        proxy.change = lambda data: data.replace(marker, marker[::-1])

        lines = await run_pull(env, f"{proxy.host}/a/lie")

    assert "filesystem layer verification failed" in lines[-1]["error"]
    assert lines[-1]["error"] == lines[-1]["errorDetail"]["message"]
    assert not env.store.all()
    assert not env.blobs.has(pushed.layers[0])
    assert env.blobs.partial(pushed.layers[0])[1] == 0
    assert not env.snapshotter.layers()


async def test_a_corrupted_manifest_is_refused_when_asked_by_digest(
    env: ImagesEnv, registry: RegistryServer
) -> None:
    """Attack 8: nobody on the way can exchange the image."""
    pushed = registry.push("a/forged", "latest", [])
    async with meddle(registry.host) as proxy:
        proxy.change = lambda data: data.replace(b"container.image.v1", b"container.image.v9")

        with pytest.raises(SkepError, match="manifest verification failed for digest"):
            await pull(env, f"{proxy.host}/a/forged", pushed.manifest, "", None)


async def test_two_pulls_of_a_layer_download_it_once(
    env: ImagesEnv, registry: RegistryServer
) -> None:
    """However many ask at the same time."""
    pushed = registry.push("a/shared", "latest", [big_layer(4 << 20)])
    async with meddle(registry.host) as proxy:
        name = f"{proxy.host}/a/shared"

        done = await asyncio.gather(*(run_pull(env, name) for _ in range(4)))

        asked = f"GET /v2/a/shared/blobs/{pushed.layers[0]} ".encode()
        assert proxy.requests.count(asked) == 1
        assert all(lines[-1]["status"].startswith("Status: ") for lines in done)


async def test_a_client_that_vanishes_ends_its_pull(
    env: ImagesEnv, registry: RegistryServer
) -> None:
    """What came is kept to be resumed; the next pull goes on from there."""
    pushed = registry.push("a/gone", "latest", [big_layer(64 << 20)])
    stream = await pull(env, f"{registry.host}/a/gone", "latest", "", None)
    async for part in stream:
        if b"Downloading" in part:
            break
    await stream.aclose()  # type: ignore[attr-defined]  # it is a generator

    assert not env.store.all()
    assert not env.blobs.has(pushed.layers[0])
    lines = await run_pull(env, f"{registry.host}/a/gone")
    assert lines[-1]["status"].startswith("Status: Downloaded")


def sized(digit: str, size: int) -> dict[str, Any]:
    """Return a descriptor of something that is nowhere."""
    kind = "application/vnd.oci.image.config.v1+json"
    return {"mediaType": kind, "digest": f"sha256:{digit * 64}", "size": size}


@pytest.mark.parametrize(
    ("document", "content_type", "message"),
    [
        ({"schemaVersion": 2, "config": sized("a", 1), "layers": [], "manifests": []},
         "application/vnd.oci.image.manifest.v1+json", "ambiguous"),
        ({"schemaVersion": 2, "manifests": []},
         "application/vnd.oci.image.manifest.v1+json", "the registry announced"),
        ({"schemaVersion": 1, "fsLayers": []},
         "application/vnd.docker.distribution.manifest.v1+prettyjws", "schema 1"),
        ({"schemaVersion": 2, "config": sized("a", -1), "layers": []}, "", "impossible size"),
        ({"schemaVersion": 2, "config": sized("a", 1 << 40), "layers": []}, "", "larger than"),
        ({"schemaVersion": 2, "config": sized("A", 1), "layers": []}, "", "digest"),
        ({"schemaVersion": 2, "config": {**sized("a", 1), "digest": "sha256:../../x"},
          "layers": []}, "", "digest"),
        (b"[" * 1_000_000, "", "malformed"),
        (b"<html>", "", "malformed"),
        (b"", "", "malformed"),
    ],
)  # fmt: skip
async def test_a_hostile_manifest_is_refused(
    env: ImagesEnv, document: dict[str, Any] | bytes, content_type: str, message: str
) -> None:
    """Attacks 7 and 8: the last line says what is wrong, and nothing is kept."""
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()
    async with serve_tokens("", "") as server:
        path = "/v2/x/manifests/latest"
        server.answers = {path: raw}
        server.content_types = {path: content_type or "application/json"}

        lines = await run_pull(env, f"{server.host}/x", auth=AuthConfig(registrytoken="good"))

    assert message in lines[-1]["error"]
    assert not env.store.all()
    assert not env.blobs.digests()


async def test_a_pull_that_failed_half_way_succeeds_later(
    env: ImagesEnv, registry: RegistryServer
) -> None:
    """And left nothing, the layers that were good included."""
    marker = b"marker-of-the-second" * 10
    layers = [busybox_layer(), make_layer([ImageFile("second", marker)])]
    registry.push("a/half", "latest", layers, compress=False)
    async with meddle(registry.host) as proxy:
        proxy.change = lambda data: data.replace(marker, marker[::-1])
        failed = await run_pull(env, f"{proxy.host}/a/half")
        left = (env.snapshotter.layers(), env.blobs.digests())
        proxy.change = bytes

        lines = await run_pull(env, f"{proxy.host}/a/half")

    assert "verification failed" in failed[-1]["error"]
    assert (set(), set()) == left
    assert lines[-1]["status"].startswith("Status: Downloaded newer image")
    assert 2 == len(env.snapshotter.layers())


async def test_a_mirror_stands_in_for_docker_hub(env: ImagesEnv, registry: RegistryServer) -> None:
    """A registry that fetches from another one: our hub is never asked, the names are its own."""
    pushed = registry.push("library/mirrored", "latest", [busybox_layer()])
    with run_registry(f"proxy: {{remoteurl: 'http://{registry.host}'}}\n") as mirror:
        settings = env.settings
        settings.current = replace(
            settings.current, registry_mirrors=("http://127.0.0.1:1", f"http://{mirror.host}")
        )

        lines = await run_pull(env, "mirrored")

    assert "Status: Downloaded newer image for mirrored:latest" == lines[-1]["status"]
    assert pushed.config == env.store.resolve("mirrored").id
    assert f"docker.io/library/mirrored@{pushed.manifest}" in env.store.by_reference()
