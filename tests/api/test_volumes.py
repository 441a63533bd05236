"""Volumes over HTTP, on fakes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest

from api.http.app import Api
from engine.events.bus import EventBus
from engine.routes import volumes
from engine.volumes.acquire import acquire
from engine.volumes.env import VolumesEnv
from engine.volumes.store import VolumeStore
from tests.api.served import Client, serve
from tests.fakes.clock import FakeClock
from tests.fakes.pinned_paths import FakePinnedPaths
from tests.fakes.records import FakeRecords
from tests.fakes.volume_disk import FakeVolumeDisk


@pytest.fixture
def env() -> VolumesEnv:
    """Return an engine without volumes."""
    clock = FakeClock()
    return VolumesEnv(
        VolumeStore(FakeRecords()), FakeVolumeDisk(), EventBus(clock), clock, FakePinnedPaths()
    )


@pytest.fixture
async def client(env: VolumesEnv, tmp_path: Path) -> AsyncIterator[Client]:
    """Return a client of the volume routes."""
    app = Api()
    app.state.volumes_env = env
    app.include_router(volumes.router)
    async with serve(app, tmp_path / "api.sock") as connected:
        yield connected


async def test_created_volume_has_the_shape_of_the_api(client: Client) -> None:
    reply = await client.post_json(
        "/v1.56/volumes/create", b'{"Name": "data", "Labels": {"tier": "db"}, "DriverOpts": {}}'
    )

    assert 201 == reply.status
    assert {
        "CreatedAt": "2023-11-14T22:13:20Z",
        "Driver": "local",
        "Labels": {"tier": "db"},
        "Mountpoint": "/data/volumes/data/_data",
        "Name": "data",
        "Options": None,
        "Scope": "local",
    } == reply.json()
    assert reply.json() == (await client.request("GET", "/volumes/data")).json()


async def test_nulls_mean_absent(client: Client) -> None:
    reply = await client.post_json(
        "/volumes/create", b'{"Name": null, "Driver": null, "DriverOpts": null, "Labels": null}'
    )

    assert 201 == reply.status
    assert 64 == len(reply.json()["Name"])


async def test_list_of_nothing_is_an_empty_list(client: Client) -> None:
    assert {"Volumes": [], "Warnings": None} == (await client.request("GET", "/volumes")).json()


@pytest.mark.parametrize("filters", ['{"name":["da"]}', '{"name":{"da":true}}'])
async def test_list_is_filtered(client: Client, filters: str) -> None:
    await client.post_json("/volumes/create", b'{"Name": "data"}')
    await client.post_json("/volumes/create", b'{"Name": "cache"}')

    reply = await client.request("GET", f"/volumes?filters={quote(filters)}")

    assert ["data"] == [each["Name"] for each in reply.json()["Volumes"]]


@pytest.mark.parametrize(
    ("method", "target", "content", "status", "words"),
    [
        ("GET", "/volumes/none", b"", 404, "get none: no such volume"),
        ("DELETE", "/volumes/none", b"", 404, "get none: no such volume"),
        ("GET", "/volumes/..%2F..%2Fetc", b"", 404, "no such volume"),
        ("GET", "/volumes?filters=x", b"", 400, "invalid filter"),
        ("GET", "/volumes?filters=%7B%22x%22:%5B%22y%22%5D%7D", b"", 400, "invalid filter 'x'"),
        ("POST", "/volumes/create", b'{"Name": "a/b"}', 400, "includes invalid characters"),
        ("POST", "/volumes/create", b'{"Name": "a"}', 400, "volume name is too short"),
        ("POST", "/volumes/create", b'{"Name": 7}', 400, "$.Name"),
        ("POST", "/volumes/create", b'{"Name": ', 400, "invalid JSON"),
        ("POST", "/volumes/create", b'{"Driver": "x"}', 404, 'plugin "x" not found'),
        ("POST", "/volumes/create", b'{"DriverOpts": {"x": "y"}}', 400, 'invalid option: "x"'),
        ("POST", "/volumes/create", b'{"ClusterVolumeSpec": {}}', 503, "not a swarm manager"),
        ("PUT", "/volumes/data?version=1", b"{}", 503, "not a swarm manager"),
        ("POST", "/volumes/prune?filters=%7B%22name%22:%5B%22y%22%5D%7D", b"", 400, "'name'"),
    ],
)
async def test_refusal_says_why_and_leaves_nothing(
    client: Client,
    env: VolumesEnv,
    method: str,
    target: str,
    content: bytes,
    status: int,
    words: str,
) -> None:
    kind = "Content-Type: application/json\r\n" if content else ""

    reply = await client.request(method, target, content, kind)

    assert status == reply.status
    assert words in reply.json()["message"]
    assert [] == env.store.all()


async def test_volume_in_use_is_a_conflict(client: Client, env: VolumesEnv) -> None:
    await client.post_json("/volumes/create", b'{"Name": "data"}')
    acquire(env, "data", "c1")

    reply = await client.request("DELETE", "/volumes/data?force=1")

    assert 409 == reply.status
    assert {"message": "remove data: volume is in use - [c1]"} == reply.json()


async def test_removal_answers_without_a_body(client: Client) -> None:
    await client.post_json("/volumes/create", b'{"Name": "data"}')

    reply = await client.request("DELETE", "/volumes/data")

    assert (204, b"") == (reply.status, reply.body)
    assert 204 == (await client.request("DELETE", "/volumes/data?force=true")).status


@pytest.mark.parametrize(("version", "left"), [("1.41", []), ("1.42", ["data"])])
async def test_prune_took_named_volumes_before_1_42(
    client: Client, version: str, left: list[str]
) -> None:
    await client.post_json("/volumes/create", b'{"Name": "data"}')
    await client.post_json("/volumes/create", b"{}")

    reply = await client.request("POST", f"/v{version}/volumes/prune")

    assert 200 == reply.status
    listed = (await client.request("GET", "/volumes")).json()["Volumes"]
    assert left == [each["Name"] for each in listed]
    assert 2 - len(left) == len(reply.json()["VolumesDeleted"])
