"""Chance, as a port, so that tests know what comes."""

from __future__ import annotations

from collections.abc import Callable

# Returns a number from 0 to 1, 1 not included.
Chance = Callable[[], float]
