"""Container names."""

from __future__ import annotations

import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.names import InvalidName, check_name, random_name


@pytest.mark.parametrize("name", ["a1", "web.1", "a-b_c", "/web", "A" * 200])
def test_good_names_pass_without_their_slash(name: str) -> None:
    """Old clients put a slash before the name."""
    assert name.lstrip("/") == check_name(name)


@pytest.mark.parametrize(
    "name", ["", "a", "-a", ".a", "a b", "a/b", "../x", "a\n", "\u00e4b", "a" * 256, "//a1"]
)
def test_bad_names_are_refused_in_docker_s_words(name: str) -> None:
    """Names become paths, hosts and prefixes elsewhere: nothing odd gets through."""
    with pytest.raises(InvalidName) as raised:
        check_name(name)

    assert raised.value.message == (
        f"Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"
    )


@given(st.integers(0, 60))
def test_random_names_are_good_names(attempt: int) -> None:
    """Whatever is drawn."""
    name = random_name(secrets.randbelow, attempt)

    assert name == check_name(name)
