"""The image routes over a socket: statuses, shapes, streams; names with slashes in the path."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest

from api.http.app import Api
from engine.routes.images import router
from tests.api.served import Client, serve
from tests.root.image_store import NOTHING, Images, decoded
from tests.root.images import ImageFile, ImageSpec, docker_archive, make_layer

ARCHIVE = docker_archive(
    [ImageSpec(["registry.example:5000/team/app:1"], [make_layer([ImageFile("f", b"x")])])]
)
NAME = "registry.example:5000/team/app:1"


@pytest.fixture
async def images(tmp_path: Path) -> AsyncIterator[Images]:
    """Lend an empty store."""
    found = Images(tmp_path)
    yield found
    found.snapshotter.close()


@pytest.fixture
async def client(images: Images, tmp_path: Path) -> AsyncIterator[Client]:
    """Lend a client of the image routes on that store."""
    app = Api()
    app.state.images_env = images.env
    app.include_router(router)
    async with serve(app, tmp_path / "s") as found:
        yield found


async def test_load_list_inspect_tag_save_remove(client: Client, images: Images) -> None:
    """One image's life, by its name with slashes, plain and escaped."""
    loaded = await client.request("POST", "/v1.56/images/load?quiet=1", ARCHIVE)
    (row,) = (await client.request("GET", "/v1.56/images/json")).json()
    plain = await client.request("GET", f"/v1.56/images/{NAME}/json")
    escaped = await client.request("GET", f"/images/{quote(NAME, safe='')}/json")
    tagged = await client.request("POST", f"/images/{NAME}/tag?repo=other&tag=2")
    saved = await client.request("GET", "/images/other:2/get")
    steps = await client.request("GET", f"/images/{NAME}/history")
    several = await client.request("DELETE", f"/images/{row['Id']}")
    removed = await client.request("DELETE", f"/images/{row['Id']}?force=1")

    assert decoded(loaded.body) == [{"stream": f"Loaded image: {NAME}\n"}]
    assert row["RepoTags"] == [NAME]
    assert plain.json() == escaped.json()
    assert (tagged.status, saved.status, steps.status) == (201, 200, 200)
    assert saved.headers["content-type"] == "application/x-tar"
    assert several.status == 409
    assert [list(item) for item in removed.json()] == [["Untagged"]] * 2 + [["Deleted"]] * 2
    assert images.on_disk() == NOTHING


async def test_a_refused_upload_is_a_status(client: Client, images: Images) -> None:
    """Nothing was said yet, so the error is the answer itself, for load and import."""
    load = await client.request("POST", "/images/load", b"rubbish" * 100)
    made = await client.request("POST", "/images/create?fromSrc=-&repo=a", b"rubbish" * 100)
    change = await client.request("POST", "/images/create?fromSrc=-&changes=RUN%20x", b"")
    url = await client.request("POST", "/images/create?fromSrc=http://x/y.tar")

    assert (load.status, made.status, change.status, url.status) == (400, 400, 400, 501)
    assert change.json() == {"message": "RUN is not a valid change command"}
    assert images.on_disk() == NOTHING


async def test_unknown_images_and_filters_are_refused(client: Client) -> None:
    """404 with the name in full, 400 for a filter that there is not."""
    missing = await client.request("GET", "/images/nosuch/json")
    save = await client.request("GET", "/images/get?names=nosuch")
    bad = await client.request("GET", '/images/json?filters={"nosuch":["x"]}')
    upper = await client.request("POST", "/images/nosuch/tag?repo=UPPER")

    assert (missing.status, save.status, bad.status, upper.status) == (404, 404, 400, 404)
    assert missing.json() == {"message": "No such image: nosuch:latest"}
    assert bad.json() == {"message": "invalid filter 'nosuch'"}
