"""Paths of `docker cp` and the stat header."""

from __future__ import annotations

import base64
import json
import stat

import pytest

from api.errors import InvalidArgument
from engine.core.container_path import absolute, base_name, go_mode, stat_header


@pytest.mark.parametrize(
    ("path", "cleaned", "name"),
    [
        ("etc", "/etc", "etc"),
        ("/etc/../x", "/x", "x"),
        ("../../etc", "/etc", "etc"),
        ("/etc/", "/etc/", "etc"),
        ("/etc/.", "/etc/.", "."),
        ("/", "/", "/"),
        ("//", "/", "/"),
        ("/.", "/.", "."),
        (".", "/.", "."),
        ("/a//b", "/a/b", "b"),
    ],
)
def test_paths_are_cleaned_but_for_their_end(path: str, cleaned: str, name: str) -> None:
    """`dir/` and `dir/.` mean something else than `dir`."""
    found = absolute(path)

    assert (found, base_name(found)) == (cleaned, name)


@pytest.mark.parametrize("path", ["", "/a\0b"])
def test_paths_that_no_kernel_takes_are_refused(path: str) -> None:
    """400, before anything is mounted."""
    with pytest.raises(InvalidArgument):
        absolute(path)


@pytest.mark.parametrize(
    ("mode", "bits"),
    [
        (stat.S_IFREG | 0o644, 0o644),
        (stat.S_IFDIR | 0o755, 1 << 31 | 0o755),
        (stat.S_IFDIR | 0o1777, 1 << 31 | 1 << 20 | 0o777),
        (stat.S_IFLNK | 0o777, 1 << 27 | 0o777),
        (stat.S_IFREG | 0o4755, 1 << 23 | 0o755),
        (stat.S_IFREG | 0o2755, 1 << 22 | 0o755),
        (stat.S_IFBLK | 0o660, 1 << 26 | 0o660),
        (stat.S_IFCHR | 0o666, 1 << 26 | 1 << 21 | 0o666),
        (stat.S_IFIFO | 0o600, 1 << 25 | 0o600),
        (stat.S_IFSOCK | 0o600, 1 << 24 | 0o600),
    ],
)
def test_modes_are_go_s(mode: int, bits: int) -> None:
    """Source: Go, package io/fs, FileMode."""
    assert go_mode(mode) == bits


def test_the_header_is_base64_of_json() -> None:
    """As the docker command decodes it."""
    text = stat_header("sh", 7, stat.S_IFLNK | 0o777, 1_600_000_000_000_000_000, "/bin/busybox")

    assert json.loads(base64.b64decode(text)) == {
        "name": "sh",
        "size": 7,
        "mode": 1 << 27 | 0o777,
        "mtime": "2020-09-13T12:26:40.000000000Z",
        "linkTarget": "/bin/busybox",
    }
