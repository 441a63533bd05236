"""Images on a real disk: load, save, import, tag, remove, list, inspect, history, restart."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import tarfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from api.errors import Conflict, Internal, InvalidArgument, NoSuchImage, SkepError
from engine.adapters.mounts import detach, mount
from engine.images.env import ImageUse
from engine.images.history import history
from engine.images.import_ import ImportOrder, import_image
from engine.images.inspect import inspect
from engine.images.list import list_images
from engine.images.load import load
from engine.images.prune import prune
from engine.images.release import restore
from engine.images.remove import remove
from engine.images.save import save
from engine.images.tag import tag
from tests.root.image_store import NOTHING, Images, decoded, pieces
from tests.root.images import ImageFile, ImageSpec, docker_archive, make_layer

NOW = (1, 56)
BASE = make_layer([ImageFile("etc/base", b"base", 0o644)], directories=("etc",))
TOP = make_layer([ImageFile("top", b"top")])


@pytest.fixture
def images(tmp_path: Path) -> Iterator[Images]:
    """Lend an empty store."""
    found = Images(tmp_path)
    yield found
    found.snapshotter.close()


def archive(*tags: str, layers: tuple[bytes, ...] = (BASE, TOP), **config: object) -> bytes:
    """Return a docker archive of one image."""
    return docker_archive([ImageSpec(tags, layers, config)])


async def _saved(images: Images, *refs: str) -> bytes:
    return b"".join([chunk async for chunk in save(images.env, refs)])


async def test_load_names_what_it_loaded_and_removal_leaves_nothing(images: Images) -> None:
    """The words are Docker's; blobs and layers go with the last name."""
    lines = await images.load(archive("a:1", "b:2"))
    first = await remove(images.env, "a:1")
    second = await remove(images.env, "b:2")

    assert lines == [{"stream": "Loaded image: a:1\n"}, {"stream": "Loaded image: b:2\n"}]
    assert [item.Untagged for item in first] == ["a:1"]
    assert len([item for item in second if item.Deleted]) == 3
    assert images.on_disk() == NOTHING
    assert images.actions() == ["load", "untag", "untag", "delete"]


async def test_an_untagged_image_is_told_by_id(images: Images) -> None:
    """An archive may name nothing."""
    lines = await images.load(archive())

    (image,) = images.env.store.all()
    assert lines == [{"stream": f"Loaded image ID: {image.id}\n"}]


@pytest.mark.parametrize("step", [100, 65536])
async def test_compressed_archives_load_whatever_the_chunks(images: Images, step: int) -> None:
    """`docker save | gzip`, with layers compressed too."""
    inner = archive("a:1", layers=(BASE, TOP))
    plain = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(inner)) as old,
        tarfile.open(fileobj=plain, mode="w") as new,
    ):
        for member in old:
            content = old.extractfile(member)
            assert content is not None
            data = content.read()
            if member.name.endswith("layer.tar"):
                data = gzip.compress(data)
            member.size = len(data)
            new.addfile(member, io.BytesIO(data))

    lines = await images.load(gzip.compress(plain.getvalue()), step)

    assert lines == [{"stream": "Loaded image: a:1\n"}]


async def test_save_and_load_keep_the_id_and_the_bytes(images: Images) -> None:
    """Saved twice it is the same archive; removed and loaded it is the same image."""
    await images.load(archive("a:1", "a:2"))
    image = images.env.store.resolve("a:1")
    first = await _saved(images, "a")
    second = await _saved(images, "a")
    await remove(images.env, "a:1")
    await remove(images.env, "a:2")

    lines = await images.load(first)

    assert first == second
    assert [line["stream"] for line in lines] == ["Loaded image: a:1\n", "Loaded image: a:2\n"]
    assert images.env.store.resolve("a:2").id == image.id


async def test_a_saved_archive_loads_as_oci_layout_too(images: Images) -> None:
    """Without manifest.json the index says the same."""
    await images.load(archive("a:1"))
    saved = await _saved(images, "a:1")
    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(saved)) as old, tarfile.open(fileobj=out, mode="w") as new:
        names = old.getnames()
        for member in old:
            if member.name not in {"manifest.json", "repositories"}:
                new.addfile(member, old.extractfile(member))
    before = images.env.store.resolve("a:1").id
    await remove(images.env, "a:1")

    lines = await images.load(out.getvalue())

    assert {"index.json", "oci-layout", "manifest.json", "repositories"} <= set(names)
    assert lines == [{"stream": "Loaded image: a:1\n"}]
    assert images.env.store.resolve("a:1").id == before


def _not_an_image(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return out.getvalue()


HOSTILE = {
    "no tar": b"x" * 5000,
    "empty": b"",
    "cut": archive("a:1")[:3000],
    "damaged gzip": gzip.compress(archive("a:1"))[:-900],
    "nested gzip": gzip.compress(gzip.compress(archive("a:1"))),
    "no manifest": _not_an_image({"x": b"y"}),
    "manifest is no json": _not_an_image({"manifest.json": b"{"}),
    "deep json": _not_an_image({"manifest.json": b"[" * 1_000_000}),
    "huge manifest": _not_an_image({"manifest.json": b" " * (5 << 20)}),
    "missing config": _not_an_image(
        {"manifest.json": b'[{"Config":"x.json","RepoTags":["a"],"Layers":[]}]'}
    ),
    "config outside": _not_an_image(
        {"manifest.json": b'[{"Config":"../../../../etc/passwd","RepoTags":["a:1"],"Layers":[]}]'}
    ),
    "layer is no tar": archive("a:1", layers=(b"rubbish" * 100,)),
    "bad tag": archive("A B"),
    "ambiguous index": _not_an_image(
        {"index.json": b'{"schemaVersion":2,"manifests":[],"layers":[]}'}
    ),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
async def test_a_refused_archive_leaves_nothing(images: Images, content: bytes) -> None:
    """Every refusal says why; no blob, no layer, no temporary file stays."""
    with pytest.raises(SkepError) as refused:
        await images.load(content)

    assert refused.value.http in {400, 404}
    assert images.on_disk() == NOTHING
    assert images.env.store.all() == []


async def test_a_wrong_diff_id_is_refused(images: Images) -> None:
    """The configuration promises other content than the layer has."""
    content = archive("a:1", layers=(TOP,))
    with tarfile.open(fileobj=io.BytesIO(content)) as old:
        files = {m.name: old.extractfile(m).read() for m in old}  # type: ignore[union-attr]  # all are files
    layer = next(name for name in files if name.endswith("layer.tar"))
    files[layer] = BASE

    with pytest.raises(InvalidArgument, match="wrong diff id"):
        await images.load(_not_an_image(files))

    assert images.on_disk() == NOTHING


async def test_a_client_that_vanishes_leaves_nothing(images: Images) -> None:
    """The upload ends in the middle, by an error or by cancellation."""
    content = archive("a:1")

    async def cut() -> AsyncIterator[bytes]:
        yield content[:3000]
        raise ConnectionResetError

    with pytest.raises((ConnectionResetError, SkepError)):
        async for _ in load(images.env, cut(), quiet=True):
            pass

    assert images.on_disk() == NOTHING


async def test_concurrent_loads_of_one_image_share_it(images: Images) -> None:
    """Both succeed; each layer is there once."""
    await asyncio.gather(*[images.load(archive("a:1")) for _ in range(4)])

    assert len(images.on_disk()["layers"]) == 2
    await remove(images.env, "a:1")
    assert images.on_disk() == NOTHING


async def test_shared_layers_stay_with_the_other_image(images: Images) -> None:
    """Only what nothing stands on goes."""
    await images.load(archive("a:1", layers=(BASE,)))
    await images.load(archive("b:1", layers=(BASE, TOP)))

    await remove(images.env, "b:1")

    assert len(images.on_disk()["layers"]) == 1
    root = await _mounted(images, "a:1")
    assert (root / "etc/base").read_bytes() == b"base"
    await images.snapshotter.remove("c1")


async def _mounted(images: Images, ref: str) -> Path:
    await images.snapshotter.prepare("c1", images.env.store.resolve(ref).chain_ids)
    return await images.snapshotter.mount("c1")


async def test_layers_under_a_container_outlive_the_image(images: Images) -> None:
    """Its tree still mounts after a forced removal of the image; then the layers are freed."""
    await images.load(archive("a:1"))
    await images.snapshotter.prepare("c1", images.env.store.resolve("a:1").chain_ids)

    await remove(images.env, "a:1", force=True)
    root = await images.snapshotter.mount("c1")

    assert (root / "top").read_bytes() == b"top"
    await images.snapshotter.remove("c1")
    await restore(images.env)
    assert images.on_disk() == NOTHING


async def test_conflicts_have_docker_s_words(images: Images) -> None:
    """In use by a container, by a running one, by several names."""
    await images.load(archive("a:1"))
    image_id = images.env.store.resolve("a:1").id
    images.uses.append(ImageUse("c" * 64, image_id, running=False))

    with pytest.raises(Conflict) as by_name:
        await remove(images.env, "a:1")
    with pytest.raises(Conflict) as by_id:
        await remove(images.env, image_id[7:19])
    images.uses[0] = ImageUse("c" * 64, image_id, running=True)
    with pytest.raises(Conflict) as running:
        await remove(images.env, image_id[7:19], force=True)
    images.uses.clear()
    await tag(images.env, "a:1", "other/name", "")
    with pytest.raises(Conflict) as several:
        await remove(images.env, image_id)

    short = image_id[7:19]
    assert by_name.value.message == (
        'conflict: unable to remove repository reference "a:1" (must force) - container '
        f"cccccccccccc is using its referenced image {short}"
    )
    assert by_id.value.message == (
        f"conflict: unable to delete {short} (must be forced) - image is being used by stopped "
        "container cccccccccccc"
    )
    assert running.value.message == (
        f"conflict: unable to delete {short} (cannot be forced) - image is being used by running "
        "container cccccccccccc"
    )
    assert several.value.message == (
        f"conflict: unable to delete {short} (must be forced) - image is referenced in multiple "
        "repositories"
    )


async def test_import_makes_an_image_of_a_root_file_system(images: Images) -> None:
    """With changes, a message and a name; the answer is the id."""
    order = ImportOrder("made", "1", "by hand", ['CMD ["/x"]', "ENV A=1 B='2 3'", "EXPOSE 80"])
    lines = [line async for line in import_image(images.env, pieces(gzip.compress(BASE)), order)]

    image = images.env.store.resolve("made:1")
    assert decoded(b"".join(lines)) == [{"status": image.id}]
    assert image.config.Cmd == ["/x"]
    assert image.config.Env == ["A=1", "B=2 3"]
    assert image.config.ExposedPorts == {"80/tcp": {}}
    assert history(images.env, "made:1")[0].Comment == "by hand"


async def test_list_inspect_and_history_tell_the_same(images: Images) -> None:
    """Sizes, names and layers of one image, from each side."""
    await images.load(archive("a:1", Labels={"k": "v"}))
    await images.load(archive(layers=(BASE,)))

    rows = list_images(images.env, {"reference": ["a"]}, version=NOW)
    dangling = list_images(images.env, {"dangling": ["true"]}, version=NOW)
    labelled = list_images(images.env, {"label": ["k=v"]}, version=NOW)
    shown = inspect(images.env, "a:1", version=NOW)
    steps = history(images.env, "a:1")

    assert [row.RepoTags for row in rows] == [["a:1"]]
    assert [row.RepoTags for row in dangling] == [[]]
    assert [row.Id for row in labelled] == [shown.Id]
    assert rows[0].Size == shown.Size == sum(step.Size for step in steps) == 7
    assert [step.Id for step in steps] == [shown.Id, "<missing>"]
    assert isinstance(shown.RootFS.Layers, list)


async def test_older_clients_see_older_shapes(images: Images) -> None:
    """API 1.43 has VirtualSize, 1.42 <none> names, 1.49 the whole configuration."""
    await images.load(archive())

    (old,) = list_images(images.env, {}, version=(1, 42))
    shown = inspect(images.env, old.Id, version=(1, 42))

    assert (old.RepoTags, old.RepoDigests) == (["<none>:<none>"], ["<none>@<none>"])
    assert old.VirtualSize == old.Size == shown.VirtualSize
    assert hasattr(shown.Config, "Hostname")


async def test_everything_is_there_after_a_restart(images: Images) -> None:
    """A new process reads the records; leftovers of a crash go."""
    await images.load(archive("a:1"))
    before = images.on_disk()
    (images.root / "images/incoming/half").write_bytes(b"x")
    (images.root / "images/blobs/sha256" / ("0" * 64)).write_bytes(b"x")
    (images.root / "layers/new-half/diff").mkdir(parents=True)
    again = Images(images.root, images.records)

    await again.env.store.load()
    await restore(again.env)

    assert again.env.store.resolve("a:1") == images.env.store.resolve("a:1")
    assert again.on_disk() == before
    again.snapshotter.close()


async def test_a_moved_tag_leaves_the_old_image_untagged(images: Images) -> None:
    """The name means the new image; the old one can be pruned."""
    await images.load(archive("a:1", layers=(BASE,)))
    await images.load(archive("a:1", layers=(TOP,)))

    report = await prune(images.env, {})

    assert images.env.store.resolve("a:1").diff_ids != []
    assert len(images.env.store.all()) == 1
    assert report.SpaceReclaimed == 4
    assert report.ImagesDeleted is not None


async def test_unknown_names_are_not_found(images: Images) -> None:
    """The words name the reference in full."""
    with pytest.raises(NoSuchImage, match="No such image: nosuch:latest"):
        await remove(images.env, "nosuch")
    with pytest.raises(NoSuchImage):
        save(images.env, ["nosuch"])


@pytest.mark.parametrize("size", [4 << 20, 30 << 20], ids=["arriving", "unpacking"])
async def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path, size: int) -> None:
    """A bomb of zeros ends where the disk does: in words, with everything taken back."""
    mount("skep-test", tmp_path, "tmpfs", 0, f"size={size}")
    try:
        small = Images(tmp_path)
        bomb = archive("a:1", layers=(make_layer([ImageFile("zeros", bytes(20 << 20))]),))

        with pytest.raises(Internal, match=r"(?i)no space left on device"):
            await small.load(gzip.compress(bomb))

        assert small.on_disk() == NOTHING
        small.snapshotter.close()
    finally:
        detach(tmp_path)


async def test_a_failed_write_of_records_leaves_nothing(images: Images) -> None:
    """A full database: no layer or blob stays behind."""
    images.records.is_failing = True

    with pytest.raises(SkepError):
        await images.load(archive("a:1"))

    images.records.is_failing = False
    assert images.on_disk() == NOTHING
    assert json.loads("[]") == images.env.store.all()
