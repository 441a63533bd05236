"""Pure rules of images: manifests, configurations, removal, filters, changes."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import Conflict, InvalidArgument
from api.references import parse_normalized
from api.types.containers import ContainerConfig
from engine.core.chain import chain_id, chain_ids
from engine.core.changes import apply_changes
from engine.core.image_config import encode_config, read_config
from engine.core.image_filters import (
    ImageFacts,
    matches_age,
    matches_labels,
    matches_reference,
    moment_or_age,
)
from engine.core.image_removal import Use, is_single, plan_removal
from engine.core.manifest import Index, Manifest, read_manifest

DIGEST = f"sha256:{'a' * 64}"
BLOB = {"digest": DIGEST, "size": 1, "mediaType": "x"}
IMAGE = {"schemaVersion": 2, "config": BLOB, "layers": [BLOB]}


def test_chain_ids_name_the_stack() -> None:
    """The base is its diff id; above it each names all below (OCI image spec)."""
    base, top = DIGEST, f"sha256:{'b' * 64}"

    assert chain_ids([base, top]) == [base, chain_id(base, top)]
    assert chain_id(None, top) != chain_id(base, top)


def test_manifest_and_index_are_told_apart() -> None:
    """By what they hold, not by what the server said."""
    index = {"schemaVersion": 2, "manifests": [BLOB]}

    assert isinstance(read_manifest(json.dumps(IMAGE).encode()), Manifest)
    assert isinstance(read_manifest(json.dumps(index).encode()), Index)


@pytest.mark.parametrize(
    "document",
    [
        {**IMAGE, "manifests": [BLOB]},
        {**IMAGE, "mediaType": "application/vnd.oci.image.index.v1+json"},
        {"schemaVersion": 1, "fsLayers": []},
        {**IMAGE, "layers": [{**BLOB, "digest": "sha512:" + "a" * 64}]},
        {**IMAGE, "layers": [{**BLOB, "digest": "md5:" + "a" * 32}]},
        {**IMAGE, "layers": [{**BLOB, "digest": "sha256:../../etc/passwd"}]},
        {**IMAGE, "layers": [{**BLOB, "size": -1}]},
        {**IMAGE, "layers": [{**BLOB, "size": 10**30}]},
        {**IMAGE, "config": None},
        [],
        "x",
    ],
)
def test_ambiguous_and_false_manifests_are_refused(document: object) -> None:
    """CVE-2021-41190 and its kin."""
    with pytest.raises(InvalidArgument):
        read_manifest(json.dumps(document).encode())


@pytest.mark.parametrize("text", [b"", b"[" * 100_000, b" " * (5 << 20), b'{"a":' * 100_000])
def test_manifest_bombs_are_refused(text: bytes) -> None:
    """Depth and size are bounded."""
    with pytest.raises(InvalidArgument):
        read_manifest(text)


def test_nulls_of_a_configuration_are_absent() -> None:
    """Docker writes null for empty lists and maps."""
    document: dict[str, Any] = {
        "os": "linux", "config": {"Cmd": None, "User": None, "Labels": {"a": "b"},
                                  "Healthcheck": {"Test": ["NONE"], "Retries": None}},
        "history": [{"created_by": "x", "comment": None}], "rootfs": {"diff_ids": None},
    }  # fmt: skip

    found = read_config(json.dumps(document).encode())

    assert found.config.Labels == {"a": "b"}
    assert found.config.User == ""
    assert read_config(encode_config(found)) == found


@pytest.mark.parametrize(
    "document",
    [b"[]", b"{", b'{"os":"windows"}', b'{"rootfs":{"diff_ids":["x"]}}', b'{"config":{"Env":1}}',
     b'{"config":' * 100_000],
)  # fmt: skip
def test_false_configurations_are_refused(document: bytes) -> None:
    """Wrong types, another system, digests that are none."""
    with pytest.raises(InvalidArgument):
        read_config(document)


def _removal(ref: str, names: list[str], *uses: Use, force: bool = False) -> tuple[list[str], bool]:
    by_id = ref.startswith("sha256:")
    plan = plan_removal(
        ref, DIGEST, [parse_normalized(name) for name in names], uses, force=force, by_id=by_id,
        named=None if by_id else parse_normalized(ref),
    )  # fmt: skip
    return [name.familiar for name in plan.untag], plan.delete


def test_the_last_name_takes_the_image_with_it() -> None:
    """One of two names only goes itself; digests of its repository go with the last tag."""
    pulled = f"a@{DIGEST}"

    assert _removal("a:1", ["a:1", "b:1"]) == (["a:1"], False)
    assert _removal("a:1", ["a:1"]) == (["a:1"], True)
    assert _removal("a:1", ["a:1", pulled]) == (["a:1", pulled], True)
    assert _removal(DIGEST, ["a:1", "a:2"], force=True) == (["a:1", "a:2"], True)


def test_a_used_image_keeps_its_layers_when_only_a_name_goes() -> None:
    """A forced untag under a running container leaves the image."""
    running = Use("c" * 64, running=True)

    assert _removal("a:1", ["a:1", "b:1"], running) == (["a:1"], False)
    assert _removal("a:1", ["a:1"], running, force=True) == (["a:1"], False)
    with pytest.raises(Conflict, match="cannot be forced"):
        _removal(DIGEST, ["a:1"], running, force=True)


def test_one_repository_is_one_name() -> None:
    """A tag and digests of the same repository count as one."""
    assert is_single([parse_normalized(f"a@{DIGEST}"), parse_normalized("a:1")])
    assert not is_single([parse_normalized(f"b@{DIGEST}"), parse_normalized("a:1")])
    assert not is_single([])


def test_references_match_as_in_a_shell() -> None:
    """A star stops at a slash."""
    name = parse_normalized("registry.io:5000/team/app:1")

    assert matches_reference(name, ["registry.io:5000/*/app"])
    assert matches_reference(name, ["*/*/app:[0-9]"])
    assert not matches_reference(name, ["*app"])
    assert matches_reference(parse_normalized("busybox:latest"), ["busy*"])


@given(pattern=st.text("ab*?[]\\-/!^", max_size=12))
def test_any_pattern_matches_or_is_refused(pattern: str) -> None:
    """No pattern breaks the listing."""
    with contextlib.suppress(InvalidArgument):
        matches_reference(parse_normalized("a/b:1"), [pattern])


def test_labels_and_ages_select() -> None:
    """label=, label!=, until as a time or an age."""
    facts = ImageFacts("2026-01-01T00:00:00Z", {"k": "v"})
    created = facts.created_ns

    assert matches_labels(facts, {"label": ["k"], "label!": ["k=w"]})
    assert not matches_labels(facts, {"label": ["k=w"]})
    assert matches_age(facts, {"until": ["1h"]}, created + 2 * 3600 * 10**9)
    assert not matches_age(facts, {"until": ["2025-01-01"]}, created)
    assert moment_or_age("1h30m", 5400 * 10**9) == 0


def test_changes_are_instructions() -> None:
    """The forms that Dockerfiles know."""
    found = apply_changes(ContainerConfig(), [
        "CMD echo hi", 'entrypoint ["/x", "y"]', "ENV A b c", 'ENV A="1 2" B=\\"', "LABEL k=v",
        "EXPOSE 80 90-91/udp", "VOLUME /a /b", "WORKDIR /w", "WORKDIR sub", "USER 1:2",
        "STOPSIGNAL 9", "ONBUILD RUN x",
    ])  # fmt: skip

    assert found.Cmd == ["/bin/sh", "-c", "echo hi"]
    assert found.Entrypoint == ["/x", "y"]
    assert found.Env == ["A=1 2", 'B="']
    assert found.ExposedPorts == {"80/tcp": {}, "90/udp": {}, "91/udp": {}}
    assert found.Volumes == {"/a": {}, "/b": {}}
    assert (found.WorkingDir, found.User, found.StopSignal) == ("/w/sub", "1:2", "9")


@pytest.mark.parametrize("change", ["RUN x", "CMD", "EXPOSE 0", "EXPOSE x", "ENV A", 'ENV A="'])
def test_false_changes_are_refused(change: str) -> None:
    """Unknown instructions and malformed ones."""
    with pytest.raises(InvalidArgument):
        apply_changes(ContainerConfig(), [change])
