"""Load images from an archive: docker-archive (manifest.json) or OCI layout (index.json)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import msgspec

from api.errors import InvalidArgument, NotFound
from api.ids import short_id
from api.progress import progress_line
from api.references import InvalidReference, parse_normalized
from api.types.images import LoadManifestItem
from engine.core.chain import chain_ids
from engine.core.digest import blob_member
from engine.core.image_config import MAX_CONFIG_BYTES, read_config
from engine.core.manifest import (
    MAX_MANIFEST_BYTES,
    Descriptor,
    Index,
    Manifest,
    Platform,
    read_manifest,
)
from engine.core.platform import choose, fits, write_platform
from engine.images.env import ImagesEnv
from engine.images.narrate import Say, narrate
from engine.images.record import ImageRecord
from engine.images.register import LayerBlob, register_image, unpack_layers
from engine.images.release import release
from engine.images.tell import tell
from engine.ports.storage import Staging


@dataclass(frozen=True, slots=True)
class _Planned:
    """An image in the archive: names of its members, and its full references."""

    config: str
    layers: Sequence[str]
    references: Sequence[str]
    manifest: str = ""


def load(
    env: ImagesEnv, chunks: AsyncIterator[bytes], *, quiet: bool, platform: Platform | None = None
) -> AsyncIterator[bytes]:
    """Load every image of an archive; yield JSON lines as Docker's.

    The archive is taken apart while it arrives; an archive that is refused leaves nothing.
    Errors:  InvalidArgument (malformed archive, wrong digests), Internal (disk).
    """

    async def work(say: Say) -> None:
        staging = await env.blobs.stage(chunks)
        try:
            for planned in _plan(staging, platform or env.platform):
                _check_platform(staging, planned, platform)
                image = await _load_image(env, staging, planned, None if quiet else say)
                for line in _outcome(image, planned.references):
                    say(line)
        finally:
            await staging.discard()

    return narrate(work)


def _check_platform(staging: Staging, planned: _Planned, wanted: Platform | None) -> None:
    """Refuse an image that is for another platform than asked for. Errors: NotFound."""
    config = read_config(staging.read(planned.config, MAX_CONFIG_BYTES))
    has = Platform(os=config.os, architecture=config.architecture, variant=config.variant)
    if wanted is not None and not fits(has, wanted):
        name = planned.references[0] if planned.references else planned.config
        raise NotFound(
            f"image {name} was found but its platform ({write_platform(has)}) does not match the "
            f"specified platform ({write_platform(wanted)})"
        )


def _outcome(image: ImageRecord, references: Sequence[str]) -> list[bytes]:
    if not references:
        return [stream_line(f"Loaded image ID: {image.id}\n")]
    return [
        stream_line(f"Loaded image: {parse_normalized(reference).familiar}\n")
        for reference in references
    ]


def stream_line(text: str) -> bytes:
    """Return a line of output that is shown as it is."""
    return msgspec.json.encode({"stream": text}) + b"\r\n"


def _plan(staging: Staging, platform: Platform) -> list[_Planned]:
    names = staging.names()
    if "manifest.json" in names:
        return _plan_docker(staging)
    if "index.json" in names:
        return _plan_oci(staging, platform)
    if "repositories" in names:
        raise InvalidArgument(
            "this archive has no manifest.json: the format of Docker before 1.10 is not supported"
        )
    raise InvalidArgument("invalid archive: does not contain a manifest.json or an index.json")


def _plan_docker(staging: Staging) -> list[_Planned]:
    document = staging.read("manifest.json", MAX_MANIFEST_BYTES)
    try:
        items = msgspec.json.decode(document, type=list[LoadManifestItem])
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InvalidArgument(f"invalid manifest.json: {error}") from error
    planned = []
    for item in items:
        references = []
        for text in item.RepoTags or []:
            reference = parse_normalized(text)
            if not reference.tag or reference.digest:
                raise InvalidReference(f'invalid tag "{text}"')
            references.append(str(reference))
        planned.append(_Planned(item.Config, item.Layers, references))
    return planned


def _plan_oci(staging: Staging, platform: Platform) -> list[_Planned]:
    index = read_manifest(staging.read("index.json", MAX_MANIFEST_BYTES))
    if not isinstance(index, Index):
        raise InvalidArgument("invalid archive: index.json is not an image index")
    planned: list[_Planned] = []
    for descriptor in index.manifests:
        found = _choose(staging, descriptor, platform)
        if found is None:
            continue
        at, manifest = found
        references = _annotated(descriptor)
        same = next((p for p in planned if p.manifest == blob_member(at.digest)), None)
        if same is not None:
            planned.remove(same)
            references = [*same.references, *references]
        layers = [_checked(staging, layer) for layer in manifest.layers]
        planned.append(
            _Planned(_checked(staging, manifest.config), layers, references, blob_member(at.digest))
        )
    if not planned:
        raise InvalidArgument("invalid archive: it holds no image for this platform")
    return planned


def _choose(
    staging: Staging, descriptor: Descriptor, platform: Platform
) -> tuple[Descriptor, Manifest] | None:
    """Return the image manifest behind a descriptor; of an index, the one for the platform."""
    if "vnd.docker.reference.type" in descriptor.annotations:
        return None
    found = read_manifest(staging.read(_checked(staging, descriptor), MAX_MANIFEST_BYTES))
    if isinstance(found, Manifest):
        return descriptor, found
    chosen = choose(found.manifests, platform)
    if chosen is None or blob_member(chosen.digest) not in staging.names():
        return None
    inner = read_manifest(staging.read(_checked(staging, chosen), MAX_MANIFEST_BYTES))
    if not isinstance(inner, Manifest):
        raise InvalidArgument("an image index inside of an image index is not supported")
    return chosen, inner


def _annotated(descriptor: Descriptor) -> list[str]:
    name = descriptor.annotations.get("io.containerd.image.name", "")
    if not name:
        name = descriptor.annotations.get("org.opencontainers.image.ref.name", "")
        if ":" not in name and "/" not in name:
            return []
    return [str(parse_normalized(name).with_default_tag())]


def _checked(staging: Staging, descriptor: Descriptor) -> str:
    """Return the member's name after its digest and size proved true."""
    name = blob_member(descriptor.digest)
    if staging.digest(name) != descriptor.digest or staging.size(name) != descriptor.size:
        raise InvalidArgument(f"{name} in the archive does not have the digest or size it claims")
    return name


async def _load_image(
    env: ImagesEnv, staging: Staging, planned: _Planned, say: Say | None
) -> ImageRecord:
    config = read_config(staging.read(planned.config, MAX_CONFIG_BYTES))
    diff_ids = config.rootfs.diff_ids
    if len(diff_ids) != len(planned.layers):
        raise InvalidArgument(
            f"invalid manifest, layers length mismatch: expected {len(planned.layers)}, "
            f"got {len(diff_ids)}"
        )
    blobs = [
        LayerBlob(staging.digest(name), diff_id)
        for name, diff_id in zip(planned.layers, diff_ids, strict=True)
    ]
    members = [planned.config, *planned.layers, *filter(None, [planned.manifest])]
    digests = [staging.digest(name) for name in members]
    chains = chain_ids(diff_ids)
    try:
        with env.store.holding([*digests, *chains]):
            for name in members:
                await staging.keep(name)
            told = _progress(staging, planned, diff_ids, say) if say else None
            layers = await unpack_layers(env, blobs, told)
            image = await register_image(
                env,
                digests[0],
                staging.digest(planned.manifest) if planned.manifest else "",
                layers,
                [blob.digest for blob in blobs],
                planned.references,
            )
    except BaseException:
        await release(env, digests, chains)
        raise
    tell(env, "load", image)
    return image


class _progress:  # noqa: N801 called like a function, keeps what was told last
    """Turns bytes read of each layer into lines, at most one a megabyte."""

    def __init__(
        self, staging: Staging, planned: _Planned, diff_ids: Sequence[str], say: Say
    ) -> None:
        self._sizes = [staging.size(name) for name in planned.layers]
        self._names = [short_id(diff_id) for diff_id in diff_ids]
        self._say = say

    def __call__(self, index: int, count: int) -> None:
        size = self._sizes[index]
        self._say(progress_line("Loading layer", self._names[index], min(count, size), size))
