"""An image as the engine keeps it."""

from __future__ import annotations

from msgspec import Struct, field

from api.types.containers import ContainerConfig


class ImageRecord(Struct, frozen=True, kw_only=True):
    """An image that is whole on this machine: every layer unpacked.

    `id` is the digest of the configuration blob, `sha256:<64 hex>`; where the manifest names that
    blob by another algorithm, `config_digest` is its name there. `layer_digests` are of the blobs
    as stored (maybe compressed), `diff_ids` and `chain_ids` of the same layers, base first. `size`
    is the sum of the unpacked layers in bytes. `created` is RFC 3339.
    """

    id: str
    manifest_digest: str = ""
    config_digest: str = ""
    config: ContainerConfig = field(default_factory=ContainerConfig)
    created: str = ""
    author: str = ""
    comment: str = ""
    architecture: str = ""
    variant: str = ""
    os: str = "linux"
    os_version: str = ""
    layer_digests: list[str] = field(default_factory=list)
    diff_ids: list[str] = field(default_factory=list)
    chain_ids: list[str] = field(default_factory=list)
    size: int = 0
    tagged_ns: int = 0

    @property
    def blobs(self) -> list[str]:
        """The blobs that it stands on."""
        others = (self.config_digest, self.manifest_digest, *self.layer_digests)
        return [self.id, *filter(None, others)]


class CompressedForm(Struct, frozen=True):
    """What a blob that is stored plain is to registries: digest and bytes after gzip."""

    digest: str
    size: int


class LayerRecord(Struct, frozen=True):
    """An unpacked layer: uncompressed digest, chain id, bytes of its files."""

    diff_id: str
    chain_id: str
    size: int
