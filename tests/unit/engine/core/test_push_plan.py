"""What a push sends."""

from __future__ import annotations

from api.references import parse_normalized
from engine.core.manifest import DOCKER_MANIFEST, OCI_MANIFEST, Manifest, read_manifest
from engine.core.media_types import is_config, is_layer
from engine.core.push_plan import compression, encode_manifest, make_manifest, names_of, origins

A, B = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"


def test_the_manifest_is_of_the_kind_that_the_image_came_in() -> None:
    """Docker's own unless it was OCI's; both are ones that we would pull."""
    for is_oci, expected in ((False, DOCKER_MANIFEST), (True, OCI_MANIFEST)):
        document = encode_manifest(make_manifest((A, 1), [(B, 2)], ["gzip"], is_oci=is_oci))

        found = read_manifest(document)

        assert isinstance(found, Manifest)
        assert expected == found.mediaType
        assert is_config(found.config.mediaType)
        assert is_layer(found.layers[0].mediaType)


def test_zstd_asks_for_oci() -> None:
    """Docker's schema 2 has no media type for it."""
    found = make_manifest((A, 1), [(B, 2)], ["zstd"], is_oci=False)

    assert OCI_MANIFEST == found.mediaType
    assert found.layers[0].mediaType.endswith("+zstd")


def test_compression_is_known_by_the_first_bytes() -> None:
    """RFC 1952 and RFC 8878."""
    heads = (b"\x1f\x8b\x08\x00", b"\x28\xb5\x2f\xfd", b"etc/", b"")

    assert ["gzip", "zstd", "", ""] == [compression(head) for head in heads]


def test_a_layer_may_come_from_repositories_of_the_same_registry() -> None:
    """Where a digest tells that it is there; a mere tag of ours tells nothing."""
    target = parse_normalized("h:5000/new:latest")
    names = [
        f"h:5000/b@{A}", f"h:5000/a@{A}", f"other:5000/c@{A}", "h:5000/d:tag", f"h:5000/new@{A}"
    ]  # fmt: skip

    assert ["a", "b"] == origins(target, names)


def test_names_are_those_of_the_whole_repository() -> None:
    """Not of one that begins so."""
    known = {"h:5000/a:2": A, "h:5000/a:1": A, f"h:5000/a@{A}": A, "h:5000/ab:1": A}

    found = names_of(parse_normalized("h:5000/a"), known)

    assert [f"h:5000/a@{A}", "h:5000/a:1", "h:5000/a:2"] == [str(each) for each in found]
