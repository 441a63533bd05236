"""What a push sends: the manifest, in the form that the image came in.

Source:  OCI image spec 1.1 (manifest.md), Docker image manifest 2 schema 2.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from api.references import Reference, parse_normalized
from engine.core.manifest import (
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_LAYER,
    OCI_MANIFEST,
    Descriptor,
    Manifest,
)

_DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
_DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"

Blob = tuple[str, int]


def compression(head: bytes) -> str:
    """Return what a blob that begins so is compressed with: gzip, zstd, or "" for nothing."""
    if head.startswith(_GZIP):
        return "gzip"
    return "zstd" if head.startswith(_ZSTD) else ""


def make_manifest(
    config: Blob, layers: Sequence[Blob], kinds: Sequence[str], *, is_oci: bool
) -> Manifest:
    """Return the manifest of an image; blobs are (digest, size), `kinds` their compressions.

    Docker's own form knows no zstd, so an image with such a layer gets OCI's.
    """
    as_oci = is_oci or "zstd" in kinds
    return Manifest(
        schemaVersion=2,
        mediaType=OCI_MANIFEST if as_oci else DOCKER_MANIFEST,
        config=_descriptor(OCI_CONFIG if as_oci else _DOCKER_CONFIG, config),
        layers=[
            _descriptor(f"{OCI_LAYER}+{kind}" if as_oci else _DOCKER_LAYER, blob)
            for blob, kind in zip(layers, kinds, strict=True)
        ],
    )


def _descriptor(media_type: str, blob: Blob) -> Descriptor:
    return Descriptor(mediaType=media_type, digest=blob[0], size=blob[1])


def encode_manifest(manifest: Manifest) -> bytes:
    """Return the document, always the same for the same content."""
    return msgspec.json.encode(manifest)


def origins(target: Reference, names: Iterable[str]) -> list[str]:
    """Return the repositories of the target's registry that digests among full names speak of.

    A digest of ours in another repository means that it was pulled from there or pushed to it, so
    its layers can be mounted from there. Sorted, without the target itself.
    """
    found = {
        name.path
        for name in map(parse_normalized, names)
        if name.digest and name.domain == target.domain and name.path != target.path
    }
    return sorted(found)


def names_of(repository: Reference, references: Iterable[str]) -> list[Reference]:
    """Return every tag and digest that a repository has here, sorted."""
    names = [parse_normalized(name) for name in references if name.startswith(repository.name)]
    return sorted(name for name in names if name.name == repository.name)
