"""Unpack layers and make the image that stands on them: the last steps of load, import and pull."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from api.error_groups import single
from api.errors import InvalidArgument
from engine.core.chain import chain_id, chain_ids
from engine.core.digest import digest_of
from engine.core.image_config import read_config
from engine.core.manifest import MAX_LAYERS
from engine.images.env import ImagesEnv
from engine.images.record import ImageRecord, LayerRecord
from engine.ports.storage import Layer


@dataclass(frozen=True, slots=True)
class LayerBlob:
    """A layer whose blob is in the store: digest as stored, and what it unpacks to."""

    digest: str
    diff_id: str


async def unpack_layer(
    env: ImagesEnv,
    parent: str | None,
    blob: LayerBlob,
    progress: Callable[[int], None] | None = None,
) -> Layer:
    """Unpack one layer over its parent chain, or return the one that is there.

    Layers of one image may be unpacked in any order and at the same time: the parent need not
    be there yet. Concurrent requests for the same chain unpack it once. `progress` is told how
    many bytes of the blob were read.
    Callers keep the blob and the chain id from being removed meanwhile: `env.store.holding`.
    Errors:  InvalidArgument when the blob is malformed or unpacks to another diff id.
    """
    chain = chain_id(parent, blob.diff_id)
    with env.store.chain_lock(chain) as lock:
        async with lock:
            known = env.store.layer(chain)
            if known is not None and env.snapshotter.has_layer(chain):
                return Layer(known.diff_id, known.chain_id, known.size)
            layer = await env.snapshotter.unpack(
                parent, env.blobs.path(blob.digest), diff_id=blob.diff_id, progress=progress
            )
            env.store.note(LayerRecord(layer.diff_id, layer.chain_id, layer.size))
            return layer


async def unpack_layers(
    env: ImagesEnv,
    blobs: Sequence[LayerBlob],
    progress: Callable[[int, int], None] | None = None,
) -> list[Layer]:
    """Unpack a stack of layers, base first, side by side; `progress` gets (index, bytes read).

    Errors:  as `unpack_layer`; too many layers are InvalidArgument.
    """
    if len(blobs) > MAX_LAYERS:
        raise InvalidArgument("max depth exceeded")
    chains = chain_ids([blob.diff_id for blob in blobs])

    def told(index: int) -> Callable[[int], None] | None:
        return None if progress is None else lambda count: progress(index, count)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(unpack_layer(env, chains[i - 1] if i else None, blob, told(i)))
                for i, blob in enumerate(blobs)
            ]
    except BaseExceptionGroup as failures:
        raise single(failures) from failures
    return [task.result() for task in tasks]


async def register_image(
    env: ImagesEnv,
    config_digest: str,
    manifest_digest: str,
    layers: Sequence[Layer],
    layer_digests: Sequence[str],
    references: Sequence[str],
) -> ImageRecord:
    """Make an image of a stored configuration and unpacked layers, and give it references.

    It gets a canonical id, by whatever algorithm the configuration is named.
    `references` are in full (`str(Reference)` with tag or digest); one that named another image
    names this one from now on. `layer_digests` are of the blobs as stored, base first.
    Events are the caller's to tell.
    Errors:  InvalidArgument when the configuration is malformed or speaks of other layers.
    """
    document = env.blobs.read(config_digest)
    config = read_config(document)
    if config.rootfs.diff_ids != [layer.diff_id for layer in layers]:
        raise InvalidArgument("the image's configuration lists other layers than its manifest")
    image_id = digest_of(document)
    if image_id != config_digest:
        await env.blobs.ingest(_once(document), image_id, len(document))
    known = env.store.find(image_id)
    record = ImageRecord(
        id=image_id,
        config_digest=config_digest if config_digest != image_id else "",
        manifest_digest=manifest_digest or (known.manifest_digest if known else ""),
        config=config.config,
        created=config.created or "",
        author=config.author,
        comment=config.comment,
        architecture=config.architecture,
        variant=config.variant,
        os=config.os or "linux",
        os_version=config.os_version,
        layer_digests=list(layer_digests),
        diff_ids=[layer.diff_id for layer in layers],
        chain_ids=[layer.chain_id for layer in layers],
        size=sum(layer.size for layer in layers),
        tagged_ns=env.clock.now_ns() if references else (known.tagged_ns if known else 0),
    )
    rows = [LayerRecord(each.diff_id, each.chain_id, each.size) for each in layers]
    await env.store.put(record, rows, references)
    return record


async def _once(document: bytes) -> AsyncIterator[bytes]:
    yield document
