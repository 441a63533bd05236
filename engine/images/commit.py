"""Make an image of another one, a layer on top of it, and a configuration."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from msgspec.structs import replace

from api.errors import InvalidArgument
from api.references import parse_normalized
from api.types.containers import ContainerConfig
from engine.core.chain import chain_id
from engine.core.image_config import (
    History,
    ImageConfigFile,
    RootFS,
    encode_config,
    read_config,
)
from engine.core.manifest import MAX_LAYERS
from engine.core.timestamps import format_utc
from engine.images.env import ImagesEnv
from engine.images.record import ImageRecord
from engine.images.register import LayerBlob, register_image, unpack_layer
from engine.images.release import release
from engine.images.tell import tell
from engine.ports.storage import Layer

# The digest of a tar without members: such a layer is left out (Docker's history does the same).
_EMPTY_TAR = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"


@dataclass(frozen=True, slots=True)
class CommitOrder:
    """What the image shall be; `reference` in full or "", `command` what ran."""

    parent_id: str
    config: ContainerConfig
    command: str = ""
    reference: str = ""
    author: str = ""
    comment: str = ""


def commit_reference(repository: str, tag: str) -> str:
    """Return the full reference of a new image, "" for none. Errors: InvalidArgument."""
    if not repository:
        return ""
    reference = parse_normalized(repository)
    if reference.digest:
        raise InvalidArgument("refusing to create a tag with a digest reference")
    if tag:
        reference = reference.with_tag(tag)
    return str(reference.with_default_tag())


async def commit_image(
    env: ImagesEnv, order: CommitOrder, chunks: AsyncIterator[bytes]
) -> ImageRecord:
    """Store the layer's tar and register the image; events are told.

    Errors:  NoSuchImage (the parent), InvalidArgument (too many layers), Internal (disk).
    """
    parent = env.store.resolve(order.parent_id)
    top = parent.chain_ids[-1] if parent.chain_ids else None
    digest, _ = await env.blobs.ingest(chunks)
    chain = chain_id(top, digest)
    config_digest = ""
    try:
        with env.store.holding([digest, chain, parent.id, *parent.chain_ids]):
            added = [] if digest == _EMPTY_TAR else [await _unpack(env, parent, top, digest)]
            document = _document(env, order, parent, added)
            config_digest, _ = await env.blobs.ingest(_once(document))
            image = await register_image(
                env,
                config_digest,
                "",
                [*_layers(env, parent), *added],
                [*parent.layer_digests, *(layer.diff_id for layer in added)],
                [order.reference] if order.reference else [],
            )
    except BaseException:
        await release(env, filter(None, [digest, config_digest]), [chain])
        raise
    if not added:
        await release(env, [digest], [])
    if order.reference:
        tell(env, "tag", image, parse_normalized(order.reference).familiar)
    return image


async def _unpack(env: ImagesEnv, parent: ImageRecord, top: str | None, digest: str) -> Layer:
    if len(parent.chain_ids) >= MAX_LAYERS:
        raise InvalidArgument("max depth exceeded")
    return await unpack_layer(env, top, LayerBlob(digest, digest))


def _layers(env: ImagesEnv, image: ImageRecord) -> list[Layer]:
    found = []
    for diff_id, chain in zip(image.diff_ids, image.chain_ids, strict=True):
        known = env.store.layer(chain)
        found.append(Layer(diff_id, chain, known.size if known else 0))
    return found


def _document(env: ImagesEnv, order: CommitOrder, parent: ImageRecord, added: list[Layer]) -> bytes:
    created = f"{format_utc(env.clock.now_ns())}Z"
    step = History(
        created=created,
        created_by=order.command,
        author=order.author,
        comment=order.comment,
        empty_layer=not added,
    )
    before = read_config(env.blobs.read(parent.id))
    return encode_config(
        ImageConfigFile(
            created=created,
            author=order.author,
            comment=order.comment,
            architecture=before.architecture,
            variant=before.variant,
            os=before.os,
            os_version=before.os_version,
            config=_portable(order.config),
            rootfs=RootFS([*parent.diff_ids, *(layer.diff_id for layer in added)]),
            history=[*before.history, step],
        )
    )


def _portable(config: ContainerConfig) -> ContainerConfig:
    """Leave out what belonged to the one container."""
    return replace(
        config,
        Hostname="", Domainname="", Image="", AttachStdin=False, AttachStdout=False,
        AttachStderr=False, Tty=False, OpenStdin=False, StdinOnce=False,
    )  # fmt: skip


async def _once(document: bytes) -> AsyncIterator[bytes]:
    yield document
