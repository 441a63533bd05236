"""Pull images from a registry."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from api.error_groups import single
from api.errors import InvalidArgument, NotFound
from api.ids import short_id
from api.references import Reference, is_digest, parse_normalized
from api.types.registry import AuthConfig
from engine.core.digest import algorithm_of, digest_of
from engine.core.errors import NoSpaceLeft
from engine.core.image_config import MAX_CONFIG_BYTES, read_config
from engine.core.manifest import Descriptor, Index, Manifest, Platform, read_manifest
from engine.core.platform import fits, parse_platform, write_platform
from engine.core.pull_plan import (
    LayerPlan,
    check_image,
    check_type,
    choose_manifest,
    plan_layers,
)
from engine.images.env import ImagesEnv
from engine.images.feed import ProgressFeed, told
from engine.images.fetch import fetch_layer
from engine.images.record import ImageRecord
from engine.images.register import register_image
from engine.images.release import release
from engine.ports.registry import FetchedManifest
from engine.ports.storage import Layer


class PlatformMismatch(NotFound):
    """The image is for another machine than was asked for."""

    def __init__(self, reference: Reference, wanted: Platform, actual: Platform) -> None:
        super().__init__(
            f"image with reference {reference.familiar} was found but does not match the "
            f"specified platform: wanted {write_platform(wanted)}, actual: "
            f"{write_platform(actual)}"
        )


@dataclass(frozen=True, slots=True)
class _Request:
    """A pull as asked for; `platform` "" means this machine's."""

    platform: str
    wanted: Platform
    auth: AuthConfig | None


@dataclass(frozen=True, slots=True)
class _Found:
    """An image in the registry: the manifest for our platform, and its bytes."""

    manifest: Manifest
    digest: str
    document: bytes
    config: bytes


async def pull(
    env: ImagesEnv, reference: str, tag: str, platform: str, auth: AuthConfig | None
) -> AsyncIterator[bytes]:
    """Return the progress lines of a pull, which goes on as they are read and ends with them.

    `tag` may be a digest; without one in either place all tags are pulled. What is refused before
    the first line is raised here; later errors are the last line.
    Errors:  InvalidArgument, NotFound, Internal (registry unreachable or refusing).
    """
    named = pull_reference(reference, tag)
    request = _Request(platform, parse_platform(platform, env.platform), auth)
    if named.tag or named.digest:
        references = [named]
    else:
        references = [named.with_tag(each) for each in await env.registry.tags(named, auth)]
    if not references:
        raise NotFound(f"repository {named.familiar_name} has no tags")
    first = await env.registry.manifest(references[0], auth)
    return told(env.clock, lambda feed: _pull_all(env, references, first, request, feed))


def pull_reference(reference: str, tag: str) -> Reference:
    """Return what fromImage and tag name together. Errors: InvalidReference."""
    named = parse_normalized(reference.removesuffix(":"))
    if not tag:
        return named
    return named.bare().with_digest(tag) if is_digest(tag) else named.bare().with_tag(tag)


async def _pull_all(
    env: ImagesEnv,
    references: list[Reference],
    first: FetchedManifest,
    request: _Request,
    feed: ProgressFeed,
) -> None:
    is_newer = False
    fetched: FetchedManifest | None = first
    for reference in references:
        feed.say(f"Pulling from {reference.path}", reference.digest or reference.tag)
        fetched = fetched or await env.registry.manifest(reference, request.auth)
        is_newer |= await _pull_one(env, reference, fetched, request, feed)
        feed.say(f"Digest: {fetched.digest}")
        fetched = None
    name = references[0].familiar if len(references) == 1 else references[0].familiar_name
    words = "Downloaded newer image for" if is_newer else "Image is up to date for"
    feed.say(f"Status: {words} {name}")


async def _pull_one(
    env: ImagesEnv,
    reference: Reference,
    fetched: FetchedManifest,
    request: _Request,
    feed: ProgressFeed,
) -> bool:
    """Bring one image here; True if the reference names another image than before."""
    found = await _find(env, reference, fetched, request)
    manifest = found.manifest
    config = read_config(found.config)
    actual = Platform(os=config.os, architecture=config.architecture, variant=config.variant)
    if request.platform and not fits(actual, request.wanted):
        raise PlatformMismatch(reference, request.wanted, actual)
    plans = plan_layers(
        manifest,
        config.rootfs.diff_ids,
        lambda chain: env.store.layer(chain) is not None and env.snapshotter.has_layer(chain),
        env.blobs.has,
    )
    names = [str(reference.bare().with_digest(fetched.digest))]
    if reference.tag and not reference.digest:
        names.append(str(reference))
    before = env.store.target(names[-1])
    record = await _bring(env, reference, found, plans, names, request, feed)
    env.events.publish(
        "image",
        "pull",
        reference.familiar,
        {**(record.config.Labels or {}), "name": reference.familiar_name},
    )
    return before != record.id


async def _bring(
    env: ImagesEnv,
    reference: Reference,
    found: _Found,
    plans: list[LayerPlan],
    names: list[str],
    request: _Request,
    feed: ProgressFeed,
) -> ImageRecord:
    """Fetch what is missing and make the image of it.

    After a failure no layer is left unpacked. Whole blobs are, so that the next try need not fetch
    them again, unless what the registry sent was wrong or the disk is full.
    """
    config_digest = found.manifest.config.digest
    blobs = [found.digest, config_digest, *(plan.blob.digest for plan in plans)]
    chains = [plan.chain_id for plan in plans]
    try:
        with env.store.holding([*blobs, *chains]):
            sources = _sources(env, plans)
            layers = await _fetch_layers(env, reference, plans, sources, request, feed)
            await env.blobs.ingest(_once(found.config), config_digest, len(found.config))
            await env.blobs.ingest(_once(found.document), found.digest, len(found.document))
            is_same = sources == [plan.blob.digest for plan in plans]
            manifest_digest = found.digest if is_same else ""
            return await register_image(env, config_digest, manifest_digest, layers, sources, names)
    except BaseException as error:
        is_lost = isinstance(error, InvalidArgument | NoSpaceLeft)
        await release(env, blobs if is_lost else [], chains)
        raise


async def _find(
    env: ImagesEnv, reference: Reference, fetched: FetchedManifest, request: _Request
) -> _Found:
    """Go from what the name means to the manifest and the configuration for a platform."""
    manifest = read_manifest(fetched.document)
    check_type(reference.familiar, fetched.media_type, manifest)
    digest, document = fetched.digest, fetched.document
    if isinstance(manifest, Index):
        entry = choose_manifest(manifest, request.wanted)
        inner = await env.registry.manifest(
            reference.bare().with_digest(entry.digest), request.auth
        )
        manifest = read_manifest(inner.document)
        check_type(reference.familiar, inner.media_type, manifest)
        if isinstance(manifest, Index) or len(inner.document) != entry.size:
            raise InvalidArgument(f"{entry.digest} is not what the manifest list promised")
        digest, document = inner.digest, inner.document
    check_image(manifest)
    return _Found(
        manifest, digest, document, await _config(env, reference, manifest.config, request)
    )


async def _config(
    env: ImagesEnv, reference: Reference, blob: Descriptor, request: _Request
) -> bytes:
    """Return the configuration, from here if it is here. Errors: InvalidArgument (wrong digest)."""
    if blob.size > MAX_CONFIG_BYTES:
        raise InvalidArgument(f"image configuration is larger than {MAX_CONFIG_BYTES} bytes")
    if env.blobs.has(blob.digest):
        return await asyncio.to_thread(env.blobs.read, blob.digest)
    document = await env.registry.read_blob(reference, blob, request.auth)
    if digest_of(document, algorithm_of(blob.digest)) != blob.digest:
        raise InvalidArgument(f"image config verification failed for digest {blob.digest}")
    return document


def _sources(env: ImagesEnv, plans: list[LayerPlan]) -> list[str]:
    """Return the blob that each layer will be kept as.

    A layer that is unpacked here may have come as another blob (loaded, or compressed otherwise);
    then that one is as good, and nothing is downloaded.
    """
    wanted = {plan.chain_id for plan in plans if plan.unpacked and not plan.fetched}
    here = {
        chain: image.layer_digests[index]
        for image in env.store.all()
        for index, chain in enumerate(image.chain_ids)
        if chain in wanted and env.blobs.has(image.layer_digests[index])
    }
    return [here.get(plan.chain_id, plan.blob.digest) for plan in plans]


async def _fetch_layers(
    env: ImagesEnv,
    reference: Reference,
    plans: list[LayerPlan],
    sources: list[str],
    request: _Request,
    feed: ProgressFeed,
) -> list[Layer]:
    """Return all layers unpacked, fetched side by side as far as they are not here."""
    layers: dict[int, Layer] = {}
    missing: list[int] = []
    for index, plan in enumerate(plans):
        known = env.store.layer(plan.chain_id)
        if plan.unpacked and known is not None and env.blobs.has(sources[index]):
            layers[index] = Layer(known.diff_id, known.chain_id, known.size)
            feed.step("Already exists", short_id(plan.blob.digest))
        else:
            feed.step("Pulling fs layer", short_id(plan.blob.digest))
            missing.append(index)
    try:
        async with asyncio.TaskGroup() as group:
            tasks = {
                index: group.create_task(
                    fetch_layer(env, reference, plans[index], request.auth, feed)
                )
                for index in missing
            }
    except ExceptionGroup as failures:
        raise single(failures) from failures
    layers.update({index: task.result() for index, task in tasks.items()})
    return [layers[index] for index in range(len(plans))]


async def _once(document: bytes) -> AsyncIterator[bytes]:
    yield document
