"""The filters of the container listing."""

from __future__ import annotations

import pytest

from api.errors import InvalidArgument
from engine.core.container_filters import (
    Facet,
    Resolved,
    check_list,
    check_prune,
    fits_no_label,
    matches,
    until_ns,
)
from engine.core.container_state import Status

WEB = Facet(
    id="abc123", name="web-1", status=Status.EXITED, exit_code=3, health="none",
    labels={"tier": "front", "env": ""}, images={"sha256:1", "sha256:2"},
    networks={"bridge", "n1"}, volumes={"data", "/srv"}, exposed={"80/tcp", "53/udp"},
    published={"80/tcp"},
)  # fmt: skip


@pytest.mark.parametrize(
    ("key", "values", "fits"),
    [
        ("id", ["abc"], True), ("id", ["^bc"], False), ("id", ["^[a-f0-9]+$"], True),
        ("name", ["web"], True), ("name", ["/web"], True), ("name", ["^/web-1$"], True),
        ("name", ["^eb"], False), ("name", ["1$"], True), ("name", ["db", "web"], True),
        ("name", ["^(web|db)-[0-9]+$"], True), ("name", ["^/?w.b"], True), ("name", ["x|y"], False),
        ("name", ["(?i)WEB"], True), ("name", ["[", "("], False), ("name", ["[", "b-1"], True),
        ("status", ["exited"], True), ("status", ["running"], False),
        ("exited", ["3"], True), ("exited", ["0"], False),
        ("health", ["none"], True), ("health", ["healthy"], False),
        ("label", ["tier"], True), ("label", ["tier=front", "env"], True),
        ("label", ["tier=front", "x"], False), ("label", ["tier=back"], False),
        ("network", ["n1"], True), ("network", ["n2"], False),
        ("volume", ["/srv"], True), ("volume", ["/sr"], False),
        ("expose", ["53/udp"], True), ("expose", ["53"], False), ("expose", ["79-81/tcp"], True),
        ("publish", ["80"], True), ("publish", ["53/udp"], False),
        ("is-task", ["false"], True), ("is-task", ["true"], False),
        ("isolation", ["default"], True),
    ],
)  # fmt: skip
def test_filters_look_at_what_they_name(key: str, values: list[str], fits: bool) -> None:
    """Any value of a key is enough; of labels all are needed."""
    assert fits == matches(WEB, {key: values}, Resolved())


@pytest.mark.parametrize(("images", "fits"), [({"sha256:2"}, True), (set(), False)])
def test_ancestor_compares_resolved_images(images: set[str], fits: bool) -> None:
    """A reference that names no image fits nothing."""
    assert fits == matches(WEB, {"ancestor": ["x"]}, Resolved(images))


@pytest.mark.parametrize(
    "wanted",
    [{"nosuch": ["1"]}, {"status": ["odd"]}, {"exited": ["x"]}, {"exited": ["9" * 99]},
     {"health": ["odd"]}, {"publish": ["x"]}, {"expose": ["90-80"]}, {"expose": ["70000"]},
     {"is-task": ["maybe"]}],
)  # fmt: skip
def test_senseless_filters_are_refused(wanted: dict[str, list[str]]) -> None:
    """400 instead of an answer that looks right."""
    with pytest.raises(InvalidArgument):
        check_list(wanted)


def test_prune_knows_fewer_filters() -> None:
    """Only label, label! and until."""
    check_prune({"until": ["1h"], "label": ["a"], "label!": ["b"]})

    with pytest.raises(InvalidArgument):
        check_prune({"name": ["a"]})


@pytest.mark.parametrize(("text", "moment"), [("10s", 90), ("1m30s", 10), ("42", 42)])
def test_until_is_a_moment_or_a_span_ago(text: str, moment: int) -> None:
    """At second one hundred."""
    assert moment * 10**9 == until_ns(text, 100 * 10**9)


def test_unwanted_labels_keep_a_container() -> None:
    """label!=keep protects what has it."""
    assert not fits_no_label({"keep": ""}, ["keep"])
    assert fits_no_label({"keep": "a"}, ["keep=b"])
