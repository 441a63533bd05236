"""Moments of the API and nanoseconds are the same thing written twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.types.objects import ZERO_TIME
from manager.core.objects.times import from_api_time, to_api_time


@given(st.integers(min_value=1, max_value=250_000_000_000 * 1_000_000_000))
def test_a_moment_survives_being_written(moment_ns: int) -> None:
    assert from_api_time(to_api_time(moment_ns)) == moment_ns


@pytest.mark.parametrize(
    ("moment_ns", "text"),
    [
        (0, ZERO_TIME),
        (1_500_000_000, "1970-01-01T00:00:01.5Z"),
        (1_764_000_000_000_000_000, "2025-11-24T16:00:00Z"),
    ],
)
def test_moments_are_written_as_go_writes_them(moment_ns: int, text: str) -> None:
    """No trailing zeros, and a zero time of the year 1: clients compare with that."""
    assert text == to_api_time(moment_ns)


def test_a_zone_is_counted_in() -> None:
    assert 1_000_000_000 == from_api_time("1970-01-01T02:00:01+02:00")


@pytest.mark.parametrize("text", ["", "soon", ZERO_TIME, "2025-13-01T00:00:00Z"])
def test_what_is_no_time_counts_as_never(text: str) -> None:
    assert 0 == from_api_time(text)
