"""Push images to a registry."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from api.error_groups import single
from api.errors import InvalidArgument, NotFound
from api.ids import short_id
from api.references import Reference, parse_normalized
from api.types.registry import AuthConfig
from engine.core.digest import digest_of, is_canonical
from engine.core.manifest import DOCKER_MANIFEST, OCI_MANIFEST, Manifest, Platform, read_manifest
from engine.core.platform import fits, write_platform
from engine.core.push_plan import encode_manifest, make_manifest, names_of, origins
from engine.images.env import ImagesEnv
from engine.images.feed import ProgressFeed, told
from engine.images.record import ImageRecord
from engine.images.upload import PushedLayer, StoredBlob, Target, layer_kind, push_layer


class NotHere(NotFound):
    """No image here has a name of this repository."""

    def __init__(self, reference: Reference) -> None:
        name = reference.familiar_name
        super().__init__(f"An image does not exist locally with the tag: {name}")


class NoSuchTag(NotFound):
    """The repository has no such tag here."""

    def __init__(self, reference: Reference) -> None:
        super().__init__(f"tag does not exist: {reference.familiar}")


@dataclass(frozen=True, slots=True)
class _Source:
    """The manifest that an image came with, where its blobs are still what it lists."""

    manifest: Manifest | None = None
    document: bytes = b""


def push(
    env: ImagesEnv, name: str, tag: str, platform: Platform | None, auth: AuthConfig | None
) -> AsyncIterator[bytes]:
    """Return the progress lines of a push, which goes on as they are read and ends with them.

    Without a tag in either place all tags of the repository are pushed.
    Errors:  InvalidArgument; later ones are the last line.
    """
    named = parse_normalized(name)
    if tag:
        named = named.bare().with_tag(tag)
    if named.digest:
        raise InvalidArgument("cannot push a digest reference")
    return told(env.clock, lambda feed: _push_all(env, named, platform, auth, feed))


async def _push_all(
    env: ImagesEnv,
    named: Reference,
    platform: Platform | None,
    auth: AuthConfig | None,
    feed: ProgressFeed,
) -> None:
    feed.say(f"The push refers to repository [{named.name}]")
    names = names_of(named, env.store.by_reference())
    if not names:
        raise NotHere(named)
    for reference in [named] if named.tag else [each for each in names if each.tag]:
        image = env.store.find(env.store.target(str(reference)) or "")
        if image is None:
            raise NoSuchTag(reference)
        _check_platform(reference, image, platform)
        await _push_one(env, Target(reference, auth), image, feed)


def _check_platform(reference: Reference, image: ImageRecord, wanted: Platform | None) -> None:
    has = Platform(os=image.os, architecture=image.architecture, variant=image.variant)
    if wanted is not None and not fits(has, wanted):
        raise NotFound(
            f"image with reference {reference.familiar} was found but does not match the "
            f"specified platform: wanted {write_platform(wanted)}, actual: {write_platform(has)}"
        )


async def _push_one(env: ImagesEnv, target: Target, image: ImageRecord, feed: ProgressFeed) -> None:
    with env.store.holding([*image.blobs, *image.chain_ids]):
        for diff_id in reversed(image.diff_ids):
            feed.step("Preparing", short_id(diff_id))
        document, media_type = await _push_blobs(env, target, image, feed)
        await env.registry.put_manifest(target.reference, media_type, document, target.auth)
    digest = digest_of(document)
    tag = target.reference.tag
    feed.say(f"{tag}: digest: {digest} size: {len(document)}")
    feed.tell({"Tag": tag, "Digest": digest, "Size": len(document)})
    if env.store.find(image.id) is not None:
        await env.store.put(image, [], [str(target.reference.bare().with_digest(digest))])
    env.events.publish(
        "image",
        "push",
        target.reference.familiar,
        {**(image.config.Labels or {}), "name": target.reference.familiar_name},
    )


async def _push_blobs(
    env: ImagesEnv, target: Target, image: ImageRecord, feed: ProgressFeed
) -> tuple[bytes, str]:
    """Bring every blob there; return the manifest that lists them, and its media type."""
    kinds = [layer_kind(env, digest) for digest in image.layer_digests]
    source = _source(env, image)
    is_kept = source.manifest is not None and all(kinds)
    config = source.manifest.config.digest if source.manifest and is_kept else image.id
    has_config = await env.registry.blob_size(target.reference, config, target.auth) is not None
    layers = [
        PushedLayer(digest, diff_id, kind, _origins(env, target.reference, digest))
        for digest, diff_id, kind in zip(image.layer_digests, image.diff_ids, kinds, strict=True)
    ]
    # A layer that an image has twice goes once, under the name of the first.
    unique = {layer.digest: layer for layer in reversed(layers)}
    try:
        async with asyncio.TaskGroup() as group:
            tasks = {
                digest: group.create_task(push_layer(env, target, layer, feed))
                for digest, layer in unique.items()
            }
            if not has_config:
                group.create_task(_push_config(env, target, config))
    except ExceptionGroup as failures:
        raise single(failures) from failures
    if source.manifest is not None and is_kept:
        return source.document, source.manifest.mediaType or OCI_MANIFEST
    is_oci = source.manifest is not None and source.manifest.mediaType != DOCKER_MANIFEST
    manifest = make_manifest(
        (image.id, env.blobs.size(image.id)),
        [tasks[layer.digest].result() for layer in layers],
        [layer.kind or "gzip" for layer in layers],
        is_oci=is_oci,
    )
    return encode_manifest(manifest), manifest.mediaType


async def _push_config(env: ImagesEnv, target: Target, digest: str) -> None:
    config = StoredBlob(env, digest, lambda _: None)
    await env.registry.upload(target.reference, config, target.auth)


def _source(env: ImagesEnv, image: ImageRecord) -> _Source:
    if not image.manifest_digest or not env.blobs.has(image.manifest_digest):
        return _Source()
    document = env.blobs.read(image.manifest_digest)
    manifest = read_manifest(document)
    if not isinstance(manifest, Manifest):
        return _Source()
    if [layer.digest for layer in manifest.layers] != image.layer_digests:
        return _Source()
    return _Source(manifest, document)


def _origins(env: ImagesEnv, target: Reference, digest: str) -> list[str]:
    """Return the repositories of the same registry that should have a layer already.

    Registries say that they mounted a blob of another algorithm than sha256, and then lack it.
    """
    if not is_canonical(digest):
        return []
    names = [
        name
        for image in env.store.all()
        if digest in image.layer_digests
        for name in env.store.references(image.id)
    ]
    return origins(target, names)
