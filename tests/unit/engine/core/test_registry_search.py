"""What is searched where, and what of it is wanted."""

from __future__ import annotations

import pytest

from api.errors import InvalidArgument
from engine.core.registry_search import (
    SearchResult,
    check_filters,
    passes,
    read_results,
    search_query,
    split_term,
)


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        ("busybox", ("docker.io", "busybox")),
        ("ann/app", ("docker.io", "ann/app")),
        ("docker.io/library/nginx", ("docker.io", "nginx")),
        ("localhost:5000/app", ("localhost:5000", "app")),
        ("registry.test/ann/app", ("registry.test", "ann/app")),
    ],
)
def test_a_registry_may_stand_before_the_words(term: str, expected: tuple[str, str]) -> None:
    assert expected == split_term(term)


@pytest.mark.parametrize("term", ["", "https://registry.test/app"])
def test_what_names_nothing_is_refused(term: str) -> None:
    with pytest.raises(InvalidArgument):
        split_term(term)


def test_a_limit_is_a_hundred_at_most() -> None:
    assert "q=a+b&n=25" == search_query("a b", 0)
    with pytest.raises(InvalidArgument, match=r"limit 101 is outside the range of \[1, 100\]"):
        search_query("a", 101)


def test_filters_choose() -> None:
    """By stars and by who made it."""
    found = read_results(
        b'{"results":[{"name":"a","star_count":9,"is_official":true},{"name":"b","star_count":1}]}'
    )

    def names(**wanted: list[str]) -> list[str]:
        chosen = {key.replace("_", "-"): values for key, values in wanted.items()}
        check_filters(chosen)
        return [each.name for each in found if passes(each, chosen)]

    assert ["a", "b"] == names()
    assert ["a"] == names(stars=["3"]) == names(is_official=["true"])
    assert ["b"] == names(is_official=["false"])


@pytest.mark.parametrize("wanted", [{"colour": ["red"]}, {"stars": ["-1"]}, {"is-official": ["x"]}])
def test_filters_that_there_are_not_are_refused(wanted: dict[str, list[str]]) -> None:
    with pytest.raises(InvalidArgument, match="invalid filter"):
        check_filters(wanted)


def test_a_malformed_answer_is_said_to_be() -> None:
    assert [] == read_results(b'{"results":null}')
    with pytest.raises(InvalidArgument, match="malformed"):
        read_results(b"<html>")
    assert SearchResult(name="x") == read_results(b'{"results":[{"name":"x","other":1}]}')[0]
