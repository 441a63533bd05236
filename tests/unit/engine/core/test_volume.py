"""Names and options of the local driver."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import InvalidArgument
from engine.core.volume import MS_BIND, check_name, check_options, plan_mount


@pytest.mark.parametrize("name", ["data", "a1", "A_b-c.d", "0" * 64, "x" * 255, "a.."])
def test_name_is_accepted(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize(
    "name", ["", "..", ".trash", "-v", "a/b", "../etc", "a\n", "a\0b", "ä1", "a b", "_x", "a/.."]
)
def test_name_with_other_characters_is_refused(name: str) -> None:
    with pytest.raises(InvalidArgument, match="includes invalid characters for a local volume"):
        check_name(name)


def test_refusal_has_the_words_that_clients_know() -> None:
    with pytest.raises(InvalidArgument) as refusal:
        check_name("a/b")

    assert refusal.value.message == (
        '"a/b" includes invalid characters for a local volume name, only '
        '"[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, '
        "use absolute path"
    )


def test_name_of_one_character_is_too_short() -> None:
    with pytest.raises(InvalidArgument, match="too short, names should be at least two"):
        check_name("a")


def test_name_longer_than_a_file_name_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="too long: 256"):
        check_name("x" * 256)


@given(st.text())
def test_accepted_name_is_one_plain_path_element(name: str) -> None:
    """Attack: names with `..`, NUL, newline or a slash must not become paths."""
    try:
        check_name(name)
    except InvalidArgument:
        return
    assert name not in {".", ".."}
    assert not set(name) & set("/\0\n ")
    assert not name.startswith((".", "-"))
    assert name.isascii()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"type": "tmpfs", "device": "tmpfs", "o": "size=1m"},
        {"type": "none", "device": "/srv", "o": "bind"},
        {"device": "/srv", "o": "bind,ro"},
        {"type": "nfs", "device": ":/export", "o": "addr=10.0.0.1"},
    ],
)
def test_options_are_accepted(options: dict[str, str]) -> None:
    check_options(options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"colour": "red"}, 'invalid option: "colour"'),
        ({"type": "tmpfs"}, 'missing required option: "device"'),
        ({"o": "bind"}, 'missing required option: "device"'),
        ({"device": "/dev/sda"}, 'missing required option: "type"'),
        ({"type": "tmpfs", "device": "a\0b"}, "NUL"),
    ],
)
def test_options_are_refused(options: dict[str, str], words: str) -> None:
    with pytest.raises(InvalidArgument, match=words):
        check_options(options)


def test_flags_are_parted_from_what_the_file_system_reads() -> None:
    plan = plan_mount({"type": "tmpfs", "device": "tmpfs", "o": "ro,size=1m,nosuid,uid=7,rw"})

    assert plan is not None
    assert (0x2, "size=1m,uid=7") == (plan.flags, plan.data)


def test_bind_is_a_flag_and_plain_volume_has_no_mount() -> None:
    plan = plan_mount({"type": "none", "device": "/srv", "o": "bind"})

    assert plan is not None
    assert plan.flags & MS_BIND
    assert plan_mount({}) is None
