"""Which images are used: told from what was found before while no container has changed."""

from __future__ import annotations

from api.types.containers import ContainerConfig, HostConfig
from engine.containers.record import ContainerRecord
from engine.containers.store import ContainerStore
from engine.containers.uses import image_uses
from engine.core.container_state import State
from engine.images.env import ImageUse
from tests.fakes.records import FakeRecords

IMAGE = f"sha256:{'a' * 64}"
RECORD = ContainerRecord(
    id="c", name="c", created_ns=0, image_id=IMAGE, image_ref="a", chain_ids=[],
    config=ContainerConfig(), host_config=HostConfig(), path="true", args=[], state=State(),
)  # fmt: skip


async def test_uses_follow_the_containers() -> None:
    """The listing of images compares the object: another one for every change, the same else."""
    store = ContainerStore(FakeRecords())
    uses = image_uses(store)

    none = uses()
    store.set(RECORD)
    one = uses()
    same = uses()
    await store.drop("c")
    gone = uses()

    assert (none, one, gone) == ((), (ImageUse("c", IMAGE, running=False),), ())
    assert same is one
