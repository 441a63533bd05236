"""Query arguments with Docker's meaning."""

from __future__ import annotations

import pytest
from starlette.datastructures import QueryParams

from api.errors import InvalidArgument
from api.http.query import Arguments


def _arguments(text: str) -> Arguments:
    return Arguments(QueryParams(text))


@pytest.mark.parametrize("value", ["1", "true", "True", "t", "yes", "anything"])
def test_most_values_are_true(value: str) -> None:
    assert _arguments(f"all={value}").boolean("all")


@pytest.mark.parametrize("value", ["", "0", "no", "false", "False", "none", "%20"])
def test_few_values_are_false(value: str) -> None:
    assert not _arguments(f"all={value}").boolean("all", default=True)


def test_default_holds_where_nothing_is_given() -> None:
    assert _arguments("").boolean("stdout", default=True)
    assert 10 == _arguments("t=").integer("t", 10)


@pytest.mark.parametrize("value", ["x", "1.5", "1e3", "9" * 30, "9223372036854775808", "٣"])
def test_what_is_no_number_is_refused_naming_the_argument(value: str) -> None:
    with pytest.raises(InvalidArgument, match="limit"):
        _arguments(f"limit={value}").integer("limit")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0", 0),
        ("1136073600", 1136073600_000000000),
        ("1136073600.000000001", 1136073600_000000001),
        ("1136073600.5", 1136073600_500000000),
        ("-1.5", -1_500000000),
        ("", None),
    ],
)
def test_time_is_read_to_the_nanosecond(value: str, expected: int | None) -> None:
    assert expected == _arguments(f"since={value}").timestamp_ns("since")


@pytest.mark.parametrize("value", ["x", "1.x", "1e9", "nan", "1" * 40])
def test_what_is_no_time_is_refused_naming_the_argument(value: str) -> None:
    with pytest.raises(InvalidArgument, match="since"):
        _arguments(f"since={value}").timestamp_ns("since")
