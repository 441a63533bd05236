"""Media types that registries are asked for, and that an image may be made of."""

from __future__ import annotations

from engine.core.manifest import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
)

ACCEPTED_MANIFESTS = (DOCKER_MANIFEST, DOCKER_LIST, OCI_INDEX, OCI_MANIFEST)
INDEXES = frozenset({DOCKER_LIST, OCI_INDEX})
SCHEMA_1 = frozenset(
    {
        "application/vnd.docker.distribution.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
    }
)
_DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
_DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
_CONFIGS = frozenset({_DOCKER_CONFIG, OCI_CONFIG, "application/octet-stream"})
_LAYER_PREFIXES = (
    _DOCKER_LAYER,
    OCI_LAYER,
    "application/vnd.docker.image.rootfs.foreign.diff.tar",
    "application/vnd.oci.image.layer.nondistributable.v1.tar",
)
_COMPRESSIONS = frozenset({"", ".gzip", ".zstd", "+gzip", "+zstd"})


def bare_type(content_type: str) -> str:
    """Return a Content-Type without its parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()


def is_config(media_type: str) -> bool:
    """Tell whether a blob of this type configures a container; charts and signatures do not."""
    return media_type in _CONFIGS


def is_layer(media_type: str) -> bool:
    """Tell whether a blob of this type is a tar that can be unpacked."""
    return any(
        media_type.removeprefix(prefix) in _COMPRESSIONS
        for prefix in _LAYER_PREFIXES
        if media_type.startswith(prefix)
    )
