"""The image that is chosen from an index runs on the machine."""

from __future__ import annotations

import pytest

from api.errors import InvalidArgument
from engine.core.manifest import Descriptor, Platform
from engine.core.platform import choose, fits, parse_platform, write_platform

AMD64 = Platform(os="linux", architecture="amd64")


def entry(text: str) -> Descriptor:
    """Return an index's entry for a platform, named by it."""
    parts = [*text.split("/"), ""]
    platform = Platform(os=parts[0], architecture=parts[1], variant=parts[2])
    return Descriptor(mediaType=text, digest="", size=0, platform=platform)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "linux/amd64"),
        ("arm64", "linux/arm64"),
        ("linux/arm64/v8", "linux/arm64"),
        ("linux/aarch64", "linux/arm64"),
        ("linux/x86_64", "linux/amd64"),
        ("linux/arm", "linux/arm/v7"),
        ("linux/armhf", "linux/arm/v7"),
        ("linux/arm/6", "linux/arm/v6"),
        ("linux", "linux/amd64"),
        ("LINUX/AMD64", "linux/amd64"),
    ],
)
def test_platforms_have_one_spelling(text: str, expected: str) -> None:
    """Whatever the user or the index writes."""
    assert expected == write_platform(parse_platform(text, AMD64))


@pytest.mark.parametrize("text", ["a/b/c/d", "linux/", "/", "linux/../x", "linux amd64", "a" * 99])
def test_what_is_no_platform_is_refused(text: str) -> None:
    """400 that names it."""
    with pytest.raises(InvalidArgument, match="is an invalid platform"):
        parse_platform(text, AMD64)


@pytest.mark.parametrize(
    ("wanted", "offered", "chosen"),
    [
        ("linux/amd64", ["linux/arm64", "linux/amd64"], "linux/amd64"),
        ("linux/arm/v7", ["linux/arm/v5", "linux/arm/v6"], "linux/arm/v6"),
        ("linux/arm/v6", ["linux/arm/v7"], None),
        ("linux/arm64", ["linux/arm/v7", "linux/arm64/v8"], "linux/arm64/v8"),
        ("linux/amd64/v3", ["linux/amd64"], "linux/amd64"),
        ("linux/amd64", ["windows/amd64", "unknown/unknown"], None),
        ("linux/amd64", [], None),
    ],
)
def test_the_best_entry_is_chosen(wanted: str, offered: list[str], chosen: str | None) -> None:
    """The same, else what the machine can run too."""
    found = choose([entry(each) for each in offered], parse_platform(wanted, AMD64))

    assert chosen == (found.mediaType if found else None)


def test_an_image_without_platform_fits() -> None:
    """Old ones say nothing."""
    assert fits(Platform(), AMD64)
    assert not fits(Platform(os="linux", architecture="arm64"), AMD64)
