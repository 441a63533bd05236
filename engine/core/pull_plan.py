"""What a pull has to do: which manifest, which layers are here, which are to be fetched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from api.errors import InvalidArgument, NotFound
from engine.core.chain import chain_ids
from engine.core.manifest import MAX_LAYERS, Descriptor, Index, Manifest, Platform
from engine.core.media_types import INDEXES, SCHEMA_1, is_config, is_layer
from engine.core.platform import choose, write_platform


class NoMatchingManifest(NotFound):
    """An index has no image for this platform."""

    def __init__(self, platform: Platform) -> None:
        wanted = write_platform(platform)
        super().__init__(f"no matching manifest for {wanted} in the manifest list entries")


class SchemaOneRefused(InvalidArgument):
    """The registry sent a manifest of the kind that was given up in 2019."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name}: image manifest version 2, schema 1 is not supported: it cannot be verified; "
            "push the image anew with a current client"
        )


@dataclass(frozen=True, slots=True)
class LayerPlan:
    """One layer: its blob, what it unpacks to, and what of it is here already.

    `parent` is the chain id below, None at the base.
    """

    blob: Descriptor
    diff_id: str
    chain_id: str
    parent: str | None
    unpacked: bool
    fetched: bool


def check_type(name: str, content_type: str, manifest: Manifest | Index) -> None:
    """Refuse a manifest whose kind is not the one that the registry announced (CVE-2021-41190).

    `content_type` is bare; "" or a plain JSON type announces nothing.
    Errors:  InvalidArgument.
    """
    if content_type in SCHEMA_1:
        raise SchemaOneRefused(name)
    if not content_type.startswith("application/vnd."):
        return
    said_index = content_type in INDEXES
    if said_index != isinstance(manifest, Index) or (
        manifest.mediaType and manifest.mediaType != content_type
    ):
        raise InvalidArgument(
            f"{name}: the registry announced {content_type} but sent "
            f"{manifest.mediaType or type(manifest).__name__.lower()}"
        )


def choose_manifest(index: Index, platform: Platform) -> Descriptor:
    """Return the entry for a platform. Errors: NoMatchingManifest."""
    found = choose(index.manifests, platform)
    if found is None:
        raise NoMatchingManifest(platform)
    return found


def check_image(manifest: Manifest) -> None:
    """Refuse what is no container image, as charts are, and too many layers.

    Errors:  InvalidArgument.
    """
    if not is_config(manifest.config.mediaType):
        raise InvalidArgument(
            f'invalid image: it is a "{manifest.config.mediaType}", not a container image'
        )
    if len(manifest.layers) > MAX_LAYERS:
        raise InvalidArgument("max depth exceeded")
    for layer in manifest.layers:
        if not is_layer(layer.mediaType):
            raise InvalidArgument(f'unsupported media type of a layer: "{layer.mediaType}"')


def plan_layers(
    manifest: Manifest,
    diff_ids: Sequence[str],
    has_layer: Callable[[str], bool],
    has_blob: Callable[[str], bool],
) -> list[LayerPlan]:
    """Return what to do for each layer, base first.

    Errors:  InvalidArgument when the configuration speaks of other layers than the manifest.
    """
    if len(diff_ids) != len(manifest.layers):
        raise InvalidArgument(
            f"the image's configuration lists {len(diff_ids)} layers, its manifest "
            f"{len(manifest.layers)}"
        )
    chains = chain_ids(diff_ids)
    return [
        LayerPlan(
            blob=blob,
            diff_id=diff_ids[index],
            chain_id=chains[index],
            parent=chains[index - 1] if index else None,
            unpacked=has_layer(chains[index]),
            fetched=has_blob(blob.digest),
        )
        for index, blob in enumerate(manifest.layers)
    ]
