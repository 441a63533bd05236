"""Manifests and indexes of images, read with suspicion.

Source:  OCI image spec 1.1 (manifest.md, image-index.md), Docker image manifest 2 schema 2.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct, field

from api.errors import InvalidArgument
from api.references import is_digest

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"

MAX_LAYERS = 125
MAX_MANIFEST_BYTES = 4 << 20

_SIZE_LIMIT = 1 << 63


class Platform(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Where an image runs, in Go's names."""

    architecture: str = ""
    os: str = ""
    os_version: str = field(default="", name="os.version")
    os_features: list[str] = field(default_factory=list, name="os.features")
    variant: str = ""


class Descriptor(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A blob that another blob speaks of; `size` in bytes."""

    mediaType: str = ""  # noqa: N815 the spec's spelling
    digest: str
    size: int
    urls: list[str] = field(default_factory=list)
    annotations: dict[str, str] = field(default_factory=dict)
    platform: Platform | None = None
    artifactType: str = ""  # noqa: N815 the spec's spelling


class Manifest(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One image: its configuration and its layers, base first."""

    schemaVersion: int  # noqa: N815 the spec's spelling
    mediaType: str = ""  # noqa: N815 the spec's spelling
    artifactType: str = ""  # noqa: N815 the spec's spelling
    config: Descriptor
    layers: list[Descriptor]
    annotations: dict[str, str] = field(default_factory=dict)


class Index(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Several manifests, by platform or by name."""

    schemaVersion: int  # noqa: N815 the spec's spelling
    mediaType: str = ""  # noqa: N815 the spec's spelling
    artifactType: str = ""  # noqa: N815 the spec's spelling
    manifests: list[Descriptor]
    annotations: dict[str, str] = field(default_factory=dict)


def read_manifest(document: bytes) -> Manifest | Index:
    """Return what a manifest says, whichever of the two it is.

    A document with both `layers` and `manifests`, or whose media type says the other kind, could
    be read in two ways by two readers and is refused (CVE-2021-41190).
    Errors:  InvalidArgument.
    """
    keys = _keys(document)
    is_index = "manifests" in keys
    if is_index and ("layers" in keys or "config" in keys):
        raise InvalidArgument("ambiguous manifest: it has both layers and manifests")
    if not is_index and "fsLayers" in keys:
        raise InvalidArgument(
            "image manifest version 2, schema 1 is not supported: push the image anew with a "
            "current client"
        )
    found: Manifest | Index
    try:
        if is_index:
            found = msgspec.json.decode(document, type=Index)
        else:
            found = msgspec.json.decode(document, type=Manifest)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InvalidArgument(f"malformed image manifest: {error}") from error
    expected = (OCI_INDEX, DOCKER_LIST, "") if is_index else (OCI_MANIFEST, DOCKER_MANIFEST, "")
    if found.mediaType not in expected or found.schemaVersion != 2:
        raise InvalidArgument(f"unsupported image manifest: {found.mediaType or 'schema 1'}")
    _check(found.manifests if isinstance(found, Index) else [found.config, *found.layers])
    return found


def _keys(document: bytes) -> set[str]:
    if len(document) > MAX_MANIFEST_BYTES:
        raise InvalidArgument(f"image manifest is larger than {MAX_MANIFEST_BYTES} bytes")
    try:
        return set(msgspec.json.decode(document, type=dict[str, msgspec.Raw]))
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InvalidArgument(f"malformed image manifest: {error}") from error


def _check(descriptors: list[Descriptor]) -> None:
    for each in descriptors:
        if not is_digest(each.digest):
            raise InvalidArgument(f"unsupported digest: {each.digest[:100]}")
        if not 0 <= each.size < _SIZE_LIMIT:
            raise InvalidArgument(f"impossible size of {each.digest}")
