"""Progress lines are what the docker command draws."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from api.progress import error_line, human_size, progress_line, render_bar, status_line, step_line


def test_lines_have_dockers_fields_in_its_order() -> None:
    """Some clients compare text."""
    assert b'{"status":"Pulling from a","id":"latest"}\r\n' == status_line(
        "Pulling from a", "latest"
    )
    assert b'{"status":"Digest: x"}\r\n' == status_line("Digest: x")
    assert b'{"status":"Waiting","progressDetail":{},"id":"a"}\r\n' == step_line("Waiting", "a")
    line = progress_line("Downloading", "a", 5, 10)
    assert ["status", "progressDetail", "progress", "id"] == list(json.loads(line))
    assert b'{"errorDetail":{"message":"no"},"error":"no"}\r\n' == error_line("no")


def test_the_bar_shows_how_far_it_is() -> None:
    """Half, whole, unknown."""
    assert render_bar(5, 10) == "[" + "=" * 25 + ">" + " " * 24 + "]       5B/10B"
    assert render_bar(10, 10) == "[" + "=" * 50 + "]      10B/10B"
    assert render_bar(1500, 0) == "   1.5kB"


def test_sizes_are_decimal() -> None:
    """Four digits that count."""
    assert ["0B", "999B", "1kB", "1.234MB", "12GB"] == [
        human_size(each) for each in (0, 999, 1000, 1_234_000, 12_000_000_000)
    ]


@given(st.integers(0, 1 << 50), st.integers(1, 1 << 50))
def test_the_bar_never_changes_its_width(current: int, total: int) -> None:
    """A line that grows would break the terminal."""
    bar = render_bar(current, total)

    assert 51 == bar.index("]")
