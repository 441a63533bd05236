"""A pull fetches what is missing and refuses what could be read in two ways."""

from __future__ import annotations

import pytest

from api.errors import InvalidArgument
from engine.core.chain import chain_ids
from engine.core.manifest import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    Index,
    Manifest,
    Platform,
)
from engine.core.media_types import SCHEMA_1, is_layer
from engine.core.pull_plan import (
    NoMatchingManifest,
    SchemaOneRefused,
    check_image,
    check_type,
    choose_manifest,
    plan_layers,
)

CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
DIFFS = [f"sha256:{digit * 64}" for digit in "123"]


def manifest(layers: int = 3, config: str = CONFIG, layer: str = LAYER) -> Manifest:
    """Return a manifest with so many layers."""
    return Manifest(
        schemaVersion=2,
        config=Descriptor(mediaType=config, digest=f"sha256:{'c' * 64}", size=1),
        layers=[
            Descriptor(mediaType=layer, digest=f"sha256:{index:064x}", size=1)
            for index in range(layers)
        ],
    )


def test_each_layer_knows_what_is_here() -> None:
    """By chain for what is unpacked, by digest for what is fetched."""
    image = manifest()
    chains = chain_ids(DIFFS)

    plans = plan_layers(
        image, DIFFS, lambda chain: chain == chains[0], lambda blob: blob == image.layers[2].digest
    )

    assert [(True, False), (False, False), (False, True)] == [
        (plan.unpacked, plan.fetched) for plan in plans
    ]
    assert [None, chains[0], chains[1]] == [plan.parent for plan in plans]
    assert chains == [plan.chain_id for plan in plans]


def test_a_configuration_of_other_layers_is_refused() -> None:
    """Attack 8."""
    with pytest.raises(InvalidArgument, match="lists 2 layers, its manifest 3"):
        plan_layers(manifest(), DIFFS[:2], lambda _: True, lambda _: True)


@pytest.mark.parametrize(
    ("announced", "is_index"),
    [
        (DOCKER_LIST, False),
        (OCI_INDEX, False),
        (DOCKER_MANIFEST, True),
        ("application/vnd.cncf.x", True),
    ],
)
def test_what_was_announced_must_come(announced: str, is_index: bool) -> None:
    """CVE-2021-41190: header and body must agree on the kind."""
    body = Index(schemaVersion=2, mediaType=OCI_INDEX, manifests=[]) if is_index else manifest()

    with pytest.raises(InvalidArgument, match="the registry announced"):
        check_type("x", announced, body)


def test_an_announcement_that_agrees_is_fine() -> None:
    """Or that says nothing."""
    check_type("x", OCI_MANIFEST, manifest())
    check_type("x", "application/json", manifest())
    check_type("x", "", Index(schemaVersion=2, manifests=[]))


def test_schema_1_is_refused_in_clear_words() -> None:
    """Nobody can verify it."""
    for each in SCHEMA_1:
        with pytest.raises(SchemaOneRefused, match="push the image anew"):
            check_type("x", each, manifest())


def test_what_is_no_image_is_refused() -> None:
    """Charts, too many layers, layers that are no tar; foreign layers are fetched as others."""
    with pytest.raises(InvalidArgument, match="not a container image"):
        check_image(manifest(config="application/vnd.cncf.helm.config.v1+json"))
    with pytest.raises(InvalidArgument, match="max depth exceeded"):
        check_image(manifest(layers=126))
    with pytest.raises(InvalidArgument, match="unsupported media type of a layer"):
        check_image(manifest(layer="application/vnd.oci.image.layer.v1.tar+encrypted"))
    check_image(manifest(layer="application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"))
    assert not is_layer("")


def test_an_index_without_our_platform_says_so() -> None:
    """In Docker's words."""
    with pytest.raises(NoMatchingManifest, match="no matching manifest for linux/amd64 in the man"):
        choose_manifest(
            Index(schemaVersion=2, manifests=[]), Platform(os="linux", architecture="amd64")
        )
