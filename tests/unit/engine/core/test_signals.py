"""Signals by name and number."""

from __future__ import annotations

import pytest

from api.errors import InvalidArgument
from engine.core.signals import parse_signal


@pytest.mark.parametrize(
    ("text", "number"),
    [("KILL", 9), ("SIGTERM", 15), ("sigint", 2), ("9", 9), ("RTMIN", 34), ("SIGRTMIN+3", 37),
     ("RTMAX-1", 63), ("64", 64)],
)  # fmt: skip
def test_names_and_numbers_are_understood(text: str, number: int) -> None:
    """As --signal and STOPSIGNAL give them."""
    assert number == parse_signal(text)


@pytest.mark.parametrize("text", ["", "0", "65", "-9", "SIGNOSUCH", "9" * 10_000, "\u0663", "9 "])
def test_others_are_refused(text: str) -> None:
    """Docker's words."""
    with pytest.raises(InvalidArgument, match="invalid signal"):
        parse_signal(text)
