"""Make an image of what a container changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog

from api.errors import SkepError
from api.types.containers import ContainerConfig
from engine.containers.changes import layer_paths
from engine.containers.env import ContainersEnv
from engine.containers.notify import notify
from engine.containers.pause import pause
from engine.containers.record import ContainerRecord
from engine.containers.unpause import unpause
from engine.core.changes import apply_changes
from engine.core.container_state import Status
from engine.core.merge import merge
from engine.images.commit import CommitOrder, commit_image, commit_reference

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CommitRequest:
    """What the client asks. `config` fills in for what the container has; its blanks do not."""

    repository: str = ""
    tag: str = ""
    author: str = ""
    comment: str = ""
    pause: bool = True
    changes: Sequence[str] = ()
    config: ContainerConfig | None = None


async def commit(env: ContainersEnv, ref: str, request: CommitRequest) -> str:
    """Return the new image's id; the container stands still meanwhile if `pause`.

    Errors:  NoSuchContainer, NoSuchImage, InvalidArgument (name, changes), Internal (disk).
    """
    record = env.store.resolve(ref)
    config = record.config
    if request.config is not None and request.config != ContainerConfig():
        config = merge(request.config, config)
    order = CommitOrder(
        parent_id=record.image_id,
        config=apply_changes(config, request.changes),
        command=" ".join(record.config.Cmd or []),
        reference=commit_reference(request.repository, request.tag),
        author=request.author,
        comment=request.comment,
    )
    async with _standing_still(env, record, wanted=request.pause):
        chunks = await env.host.insight.trees.pack_changes(layer_paths(env, record))
        try:
            image = await commit_image(env.images, order, chunks)
        finally:
            await chunks.aclose()
    about = {"comment": request.comment, "imageID": image.id, "imageRef": order.reference}
    notify(env, record, "commit", **about)
    return image.id


@asynccontextmanager
async def _standing_still(
    env: ContainersEnv, record: ContainerRecord, *, wanted: bool
) -> AsyncIterator[None]:
    if not wanted or record.state.status is not Status.RUNNING:
        yield
        return
    await pause(env, record.id)
    try:
        yield
    finally:
        await asyncio.shield(_go_on(env, record.id))


async def _go_on(env: ContainersEnv, container_id: str) -> None:
    try:
        await unpause(env, container_id)
    except SkepError as error:
        # It was killed or let go on by somebody else meanwhile.
        log.info("container.not_unpaused", container_id=container_id, reason=error.message)
