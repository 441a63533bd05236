"""Make an image of a root file system's tar."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from api.errors import InvalidArgument
from api.progress import status_line
from api.references import parse_normalized
from api.types.containers import ContainerConfig
from engine.core.changes import apply_changes
from engine.core.image_config import History, ImageConfigFile, RootFS, encode_config
from engine.core.manifest import Platform
from engine.core.timestamps import format_utc
from engine.images.env import ImagesEnv
from engine.images.narrate import Say, narrate
from engine.images.register import LayerBlob, register_image, unpack_layer
from engine.images.release import release
from engine.images.tell import tell


@dataclass(frozen=True, slots=True)
class ImportOrder:
    """What the image shall be: its name (or ""), its comment, its configuration."""

    repository: str = ""
    tag: str = ""
    message: str = ""
    changes: Sequence[str] = ()
    platform: Platform | None = None


def import_image(
    env: ImagesEnv, chunks: AsyncIterator[bytes], order: ImportOrder
) -> AsyncIterator[bytes]:
    """Import a tar (plain, gzip, bzip2, xz or zstd) as a one-layer image; yield its id.

    Errors:  InvalidArgument (tar, name, changes), Internal (disk).
    """
    reference = _reference(order)
    config = apply_changes(ContainerConfig(), order.changes)

    async def work(say: Say) -> None:
        digest, _ = await env.blobs.ingest_plain(chunks)
        document = _document(env, order, config, digest)
        config_digest = ""
        try:
            with env.store.holding([digest]):
                config_digest, _ = await env.blobs.ingest(_once(document))
                layer = await unpack_layer(env, None, LayerBlob(digest, digest))
                image = await register_image(env, config_digest, "", [layer], [digest], reference)
        except BaseException:
            await release(env, filter(None, [digest, config_digest]), [digest])
            raise
        tell(env, "import", image)
        say(status_line(image.id))

    return narrate(work)


def _reference(order: ImportOrder) -> list[str]:
    if not order.repository:
        return []
    reference = parse_normalized(order.repository)
    if reference.digest:
        raise InvalidArgument("cannot import digest reference")
    if order.tag:
        reference = reference.with_tag(order.tag)
    return [str(reference.with_default_tag())]


def _document(env: ImagesEnv, order: ImportOrder, config: ContainerConfig, diff_id: str) -> bytes:
    created = f"{format_utc(env.clock.now_ns())}Z"
    comment = order.message or "Imported from -"
    platform = order.platform or env.platform
    return encode_config(
        ImageConfigFile(
            created=created,
            comment=comment,
            architecture=platform.architecture,
            variant=platform.variant,
            os=platform.os,
            config=config,
            rootfs=RootFS([diff_id]),
            history=[History(created=created, comment=comment)],
        )
    )


async def _once(document: bytes) -> AsyncIterator[bytes]:
    yield document
