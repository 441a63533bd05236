"""Patterns in filters: Go's regular expressions, in time that no client can stretch."""

from __future__ import annotations

import pytest

from api.name_patterns import fits_any


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ("web", True), ("eb", True), ("^web$", False), ("^web_[0-9]{1,2}$", True), ("", True),
        ("web|db", True), ("(?i)WEB", True), (r"\d\z", True), ("[[:digit:]]$", True),
        ("WEB", False), (r"^\p{L}+", True), ("^(?P<kind>w)", True),
        (".*?_", True), (r"\Qb_1\E", True),
    ],
)  # fmt: skip
def test_patterns_mean_what_they_mean_in_go(pattern: str, fits: bool) -> None:
    assert fits == fits_any("web_12", [pattern])


@pytest.mark.parametrize(
    "pattern", ["[", "(", "*", "a{1001}", r"(a)\1", "(?=a)", "(?<!a)b", "x" * 100_000, "\ud800"]
)
def test_what_is_no_pattern_matches_only_itself(pattern: str) -> None:
    """Source: Docker's filters, whose `Match` passes over what does not compile."""
    assert not fits_any("xa1001aab", [pattern])
    assert fits_any(pattern, [pattern])
    assert fits_any("b", [pattern, "b"])


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*b", "(a*)*b", "(.*a){20}$"])
def test_patterns_that_explode_elsewhere_are_answered(pattern: str) -> None:
    """With a matcher that tracks back each of these would never come to its end."""
    assert not fits_any("a" * 200 + "!", [pattern])
