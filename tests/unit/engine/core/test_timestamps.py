"""Moments in requests."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import InvalidArgument
from engine.core.timestamps import format_utc, parse_moment


@pytest.mark.parametrize(
    ("text", "expected_ns"),
    [
        ("0", 0),
        ("1.5", 1_500_000_000),
        ("1700000000.000000001", 1_700_000_000_000_000_001),
        ("-2", -2_000_000_000),
        ("1970-01-01", 0),
        ("1970-01-01T00:00:01", 1_000_000_000),
        ("1970-01-01T02:00:00.5+02:00", 500_000_000),
        ("1969-12-31T23:59:59Z", -1_000_000_000),
    ],
)
def test_forms_that_clients_send(text: str, expected_ns: int) -> None:
    """The CLI sends unix seconds with fraction; people using curl write RFC 3339."""
    assert parse_moment(text) == expected_ns


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2024-13-01", "1e309", "NaN", "2024-01-01T25:00"]
)
def test_what_is_no_moment_is_refused(text: str) -> None:
    """Named in the error, so that the user sees which."""
    with pytest.raises(InvalidArgument):
        parse_moment(text)


@given(st.text(alphabet="0123456789-:.TZ+", max_size=40))
def test_any_text_gives_a_moment_or_an_error(text: str) -> None:
    """Hostile numbers neither crash nor overflow when written again."""
    try:
        moment_ns = parse_moment(text)
    except InvalidArgument:
        return

    assert len(format_utc(moment_ns)) == 29
