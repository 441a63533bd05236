"""One error out of a group, the same on every Python from 3.11.2 on."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from api.error_groups import first_error, single
from api.errors import NotFound, Unavailable

_HOME = Path(__file__).parents[3]


def test_the_first_of_nested_groups_is_found() -> None:
    """The order is that of the group; the others came of the first."""
    inner = ExceptionGroup("inner", [NotFound("a"), Unavailable("b")])

    assert single(ExceptionGroup("outer", [inner, ValueError("c")])) is inner.exceptions[0]
    assert first_error(ExceptionGroup("outer", [inner])) is inner.exceptions[0]


def test_an_error_that_is_no_answer_hides_behind_none() -> None:
    """A programming error must not be told as the answer that happened beside it."""
    assert first_error(ExceptionGroup("all", [NotFound("a"), ValueError("b")])) is None


@pytest.mark.parametrize("package", ["agent", "api", "bench", "engine", "manager", "protos"])
def test_nothing_is_raised_in_except_star(package: str) -> None:
    """Python before 3.11.4 wraps it into a group (cpython issue 103590)."""
    wrapped = [
        f"{path.relative_to(_HOME)}:{inner.lineno}"
        for path in (_HOME / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.TryStar)
        for handler in node.handlers
        for inner in ast.walk(handler)
        if isinstance(inner, ast.Raise)
    ]

    assert [] == wrapped
