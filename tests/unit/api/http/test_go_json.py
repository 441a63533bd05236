"""Requests are read as Go's decoder reads them: nulls, and the case of names."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import UNSET, UnsetType

from api.errors import InvalidArgument
from api.http.bodies import json_decoder
from api.types.containers import ContainerCreateRequest


class _Leaf(msgspec.Struct):
    Count: int = 3


class _Tree(msgspec.Struct):
    Text: str = "default"
    Maybe: int | None = 7
    Unsaid: bool | UnsetType = UNSET
    Leaf: _Leaf = msgspec.field(default_factory=_Leaf)
    Leaves: dict[str, _Leaf] = {}
    Lists: dict[str, list[str]] = {}
    Options: dict[str, str | None] = {}
    Children: list[_Tree] = []


_decode = json_decoder(_Tree)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b'{"Text":null}', _Tree()),
        (b'{"Maybe":null}', _Tree(Maybe=None)),
        (b'{"Unsaid":null}', _Tree()),
        (b'{"Leaf":null}', _Tree()),
        (b'{"Leaf":{"Count":null}}', _Tree()),
        (b'{"Leaves":{"a":null}}', _Tree(Leaves={"a": _Leaf()})),
        (b'{"Lists":{"80/tcp":null}}', _Tree(Lists={"80/tcp": []})),
        (b'{"Lists":{"a":[null]}}', _Tree(Lists={"a": [""]})),
        (b'{"Options":{"a":null}}', _Tree(Options={"a": None})),
        (b'{"Children":[null,{"Text":null}]}', _Tree(Children=[_Tree(), _Tree()])),
        (b'{"Text":"null"}', _Tree(Text="null")),
        (b'{"Foreign":null}', _Tree()),
        (b"null", _Tree()),
    ],
)
def test_null_has_gos_meaning(raw: bytes, expected: _Tree) -> None:
    assert expected == _decode(raw)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b'{"text":"a"}', _Tree(Text="a")),
        (b'{"LEAF":{"count":4}}', _Tree(Leaf=_Leaf(4))),
        (b'{"leaf":{"count":null}}', _Tree()),
        (
            b'{"children":[{"cHILDREN":[{"mayBe":1}]}]}',
            _Tree(Children=[_Tree(Children=[_Tree(Maybe=1)])]),
        ),
        (b'{"Leaves":{"Count":{"count":4}}}', _Tree(Leaves={"Count": _Leaf(4)})),
        (b'{"Options":{"text":"a","Text":"b"}}', _Tree(Options={"text": "a", "Text": "b"})),
        ('{"Li\N{LATIN SMALL LETTER LONG S}ts":{"a":[]}}'.encode(), _Tree(Lists={"a": []})),
        (b'{"foreign":1,"Foreign":2}', _Tree()),
    ],
)
def test_the_case_of_field_names_does_not_matter(raw: bytes, expected: _Tree) -> None:
    """Hand-written clients rely on it: Go's decoder takes a name in any case."""
    assert expected == _decode(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"Text":"a","Text":"b"}',
        b'{"Text":"a","text":"b"}',
        b'{"text":null,"Text":"b"}',
        b'{"Leaf":{"Count":1,"COUNT":2}}',
        b'{"leaf":{},"Leaves":{"a":{"Count":1,"count":1}}}',
        b'{"Options":{"a":"b","a":"c"}}',
    ],
)
def test_a_field_that_is_named_twice_is_refused(raw: bytes) -> None:
    """Whoever checked the request before may have seen the other value (case variants)."""
    with pytest.raises(InvalidArgument, match="duplicate key"):
        _decode(raw)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)
_FIELDS = st.sampled_from([*ContainerCreateRequest.__struct_encode_fields__])


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(_FIELDS, _JSON))
def test_any_json_is_decoded_or_refused(value: dict[str, Any]) -> None:
    decode = json_decoder(ContainerCreateRequest)

    with suppress(InvalidArgument):
        decode(json.dumps(value).encode())


@given(_FIELDS)
def test_null_in_any_field_of_a_container_is_accepted(field: str) -> None:
    """Clients in Go send null for every list and map that they leave out."""
    decode = json_decoder(ContainerCreateRequest)

    assert isinstance(decode(json.dumps({field: None}).encode()), ContainerCreateRequest)
