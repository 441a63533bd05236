"""The manifest of an image: the one that it came with, or ours; and what is here of it."""

from __future__ import annotations

import msgspec

from api.types.images import (
    ImageManifestData,
    ImageManifestSummary,
    ManifestSize,
    UnpackedSize,
)
from engine.core.digest import digest_of
from engine.core.manifest import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, Descriptor, Manifest, Platform
from engine.core.push_plan import compression, encode_manifest
from engine.images.env import ImagesEnv
from engine.images.record import ImageRecord

_HEAD_BYTES = 4


def manifest_of(env: ImagesEnv, image: ImageRecord) -> tuple[Descriptor, bytes]:
    """Return the manifest that lists the blobs as they are stored here, with its descriptor."""
    if image.manifest_digest and env.blobs.has(image.manifest_digest):
        document = env.blobs.read(image.manifest_digest)
        media_type = msgspec.json.decode(document).get("mediaType") or OCI_MANIFEST
        digest = image.manifest_digest
    else:
        document = encode_manifest(
            Manifest(
                schemaVersion=2,
                mediaType=OCI_MANIFEST,
                config=_descriptor(env, OCI_CONFIG, image.id),
                layers=[_layer(env, digest) for digest in image.layer_digests],
            )
        )
        media_type = OCI_MANIFEST
        digest = digest_of(document)
    return Descriptor(mediaType=media_type, digest=digest, size=len(document)), document


def _layer(env: ImagesEnv, digest: str) -> Descriptor:
    kind = compression(env.blobs.head(digest, _HEAD_BYTES))
    return _descriptor(env, f"{OCI_LAYER}+{kind}" if kind else OCI_LAYER, digest)


def _descriptor(env: ImagesEnv, media_type: str, digest: str) -> Descriptor:
    return Descriptor(mediaType=media_type, digest=digest, size=env.blobs.size(digest))


def summaries(env: ImagesEnv, image: ImageRecord) -> list[ImageManifestSummary]:
    """Return what is here of an image, one platform each: there is one."""
    descriptor, document = manifest_of(env, image)
    blobs = {image.id, *image.layer_digests}
    content = len(document) + sum(env.blobs.size(digest) for digest in blobs)
    data = ImageManifestData(
        Platform=Platform(os=image.os, architecture=image.architecture, variant=image.variant),
        Containers=[use.container_id for use in env.uses() if use.image_id == image.id],
        Size=UnpackedSize(image.size),
    )
    return [
        ImageManifestSummary(
            ID=descriptor.digest,
            Descriptor=descriptor,
            Available=True,
            Size=ManifestSize(Total=content + image.size, Content=content),
            ImageData=data,
        )
    ]
