"""What names an image, and what a restart remembers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from api.errors import AmbiguousPrefix, InvalidArgument, NoSuchImage
from engine.images.record import ImageRecord
from engine.images.store import ImageStore
from tests.fakes.records import FakeRecords

FIRST = ImageRecord(id=f"sha256:{'ab' * 32}")
SECOND = ImageRecord(id=f"sha256:{'ac' * 32}")
DIGEST = f"sha256:{'d' * 64}"


async def _store(records: FakeRecords) -> ImageStore:
    store = ImageStore(records)
    digest_name = f"docker.io/library/a@{DIGEST}"
    await store.put(FIRST, [], ["docker.io/library/a:latest", digest_name])
    await store.put(SECOND, [], ["docker.io/library/abab:1", "reg.io/x:latest"])
    return store


@pytest.mark.parametrize(
    ("ref", "found"),
    [
        ("a", FIRST), ("a:latest", FIRST), ("docker.io/a", FIRST), (f"a@{DIGEST}", FIRST),
        (f"a:other@{DIGEST}", FIRST), ("ab", FIRST), ("sha256:ab", FIRST), ("ab" * 32, FIRST),
        (FIRST.id, FIRST), ("reg.io/x", SECOND), ("abab:1", SECOND), ("ac", SECOND),
    ],
)  # fmt: skip
async def test_images_are_found_by_name_digest_and_id(ref: str, found: ImageRecord) -> None:
    """As `docker inspect` finds them."""
    store = await _store(FakeRecords())

    assert found == store.resolve(ref)


async def test_what_names_nothing_is_told() -> None:
    """Unknown, ambiguous, impossible."""
    store = await _store(FakeRecords())

    for ref in ("nosuch", "sha256:ff", "f" * 64, "a:2"):
        with pytest.raises(NoSuchImage):
            store.resolve(ref)
    with pytest.raises(AmbiguousPrefix):
        store.resolve("sha256:a")
    with pytest.raises(InvalidArgument):
        store.resolve("UPPER")


async def test_a_restart_remembers_all() -> None:
    """Everything went to the records; a dropped image is gone with its names."""
    records = FakeRecords()
    store = await _store(records)
    await store.untag(["reg.io/x:latest"])
    await store.drop(FIRST.id, [])

    again = ImageStore(records)
    await again.load()

    assert again.all() == store.all() == [SECOND]
    assert dict(again.by_reference()) == {"docker.io/library/abab:1": SECOND.id}


async def test_a_moved_name_is_told() -> None:
    """Who loads an image over a name learns whose it was."""
    store = await _store(FakeRecords())

    moved = await store.put(SECOND, [], ["docker.io/library/a:latest"])

    assert moved == {"docker.io/library/a:latest": FIRST.id}


async def test_what_is_held_is_held_until_the_last() -> None:
    """Holds count."""
    store = ImageStore(FakeRecords())

    with store.holding([DIGEST]):
        with store.holding([DIGEST]):
            pass
        inside = store.is_held(DIGEST)

    assert (inside, store.is_held(DIGEST)) == (True, False)


async def test_what_was_derived_is_forgotten_at_every_change() -> None:
    """A listing that is kept must never outlive what it shows."""
    store = await _store(FakeRecords())

    changes: list[Callable[[], Awaitable[object]]] = [
        lambda: store.tag("reg.io/z:1", FIRST),
        lambda: store.untag(["reg.io/z:1"]),
        lambda: store.drop(FIRST.id, []),
        store.load,
    ]
    for change in changes:
        store.derived["listing"] = b"old"
        await change()
        assert store.derived == {}
