"""What `logs --details` shows."""

from __future__ import annotations

import pytest

from api.errors import InvalidArgument
from engine.core.log_details import log_details

LABELS = {"app": "web", "tier": "a b", "other": "x"}


def test_chosen_labels_and_variables_are_sorted_and_encoded() -> None:
    """Docker's json-file driver, log-opts labels and env."""
    details = log_details({"labels": "tier,app", "env": "B"}, LABELS, ["B=1=2", "C=3"])

    assert details == b"B=1%3D2,app=web,tier=a+b "


def test_expressions_choose_too() -> None:
    """labels-regex."""
    assert log_details({"labels-regex": "^ti"}, LABELS, []) == b"tier=a+b "


def test_nothing_chosen_is_a_single_space() -> None:
    """As Docker prints it."""
    assert log_details({}, LABELS, ["A=1"]) == b" "


def test_broken_expression_is_refused() -> None:
    """Not a 500."""
    with pytest.raises(InvalidArgument, match="invalid regular expression"):
        log_details({"env-regex": "("}, {}, [])
