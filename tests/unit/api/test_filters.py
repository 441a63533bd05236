"""Filters as clients write them."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import InvalidArgument
from api.filters import Filters, InvalidFilter, parse_filters

_VALUES = st.dictionaries(st.text(), st.lists(st.text()), max_size=4)


@given(_VALUES)
def test_lists_are_read_as_written(values: dict[str, list[str]]) -> None:
    parsed = parse_filters(json.dumps(values))

    assert {key: tuple(dict.fromkeys(found)) for key, found in values.items()} == dict(parsed)


@given(_VALUES)
def test_maps_of_old_mean_the_same_as_lists(values: dict[str, list[str]]) -> None:
    old = {key: dict.fromkeys(found, True) for key, found in values.items()}

    assert dict(parse_filters(json.dumps(values))) == dict(parse_filters(json.dumps(old)))


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(InvalidArgument):
        parse_filters(text)


@pytest.mark.parametrize(
    "text", ["[]", "1", '{"a":1}', '{"a":[1]}', '{"a":{"b":1}}', "{", '{"a":"b"}', "[" * 10_000]
)
def test_other_forms_are_refused(text: str) -> None:
    with pytest.raises(InvalidArgument):
        parse_filters(text)


def test_value_set_to_false_is_not_wanted() -> None:
    assert {"a": ("x",)} == dict(parse_filters('{"a":{"x":true,"y":false}}'))


def test_unknown_key_is_refused_by_name() -> None:
    with pytest.raises(InvalidFilter, match=r"^invalid filter 'colour'$"):
        Filters({"label": ["x"], "colour": ["red"]}).check({"label"})


@pytest.mark.parametrize(
    ("values", "flag"), [(["1"], True), (["true"], True), (["0"], False), ([], None)]
)
def test_flag_is_read(values: list[str], flag: bool | None) -> None:
    assert flag is Filters({"dangling": values}).flag("dangling")


def test_flag_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidFilter, match=r"^invalid filter 'dangling=\[maybe\]'$"):
        Filters({"dangling": ["maybe"]}).flag("dangling")
