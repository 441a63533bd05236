"""How the doctor words what is not there, and what is there for nothing."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import TypeVar

T = TypeVar("T", int, str)


def difference_lines(wanted: AbstractSet[T], present: AbstractSet[T], what: str = "") -> list[str]:
    """Return a line for each that is in one set alone, sorted, first those that are missing."""
    return [f"{what}{each} is missing" for each in sorted(wanted - present)] + [
        f"{what}{each} is too much" for each in sorted(present - wanted)
    ]
