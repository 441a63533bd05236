"""What programs print for --version."""

from __future__ import annotations

import pytest

from engine.core.tool_version import parse_version


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        (
            "runc version 1.1.5+ds1\ncommit: 1.1.5+ds1-1+deb12u1\nspec: 1.0.2-dev\n",
            ("1.1.5+ds1", "1.1.5+ds1-1+deb12u1"),
        ),
        ("conmon version 2.1.6\ncommit: unknown\n", ("2.1.6", "")),
        ("crun version 1.8.1\ncommit: f8a096be\nrundir: /run/crun\n", ("1.8.1", "f8a096be")),
        ("tini version 0.19.0\n", ("0.19.0", "")),
        ("tini version 0.1.7_catatonit\n", ("0.1.7_catatonit", "")),
        ("gibberish", ("", "")),
        ("", ("", "")),
    ],
)
def test_version_and_revision_are_found(printed: str, expected: tuple[str, str]) -> None:
    assert expected == parse_version(printed)
