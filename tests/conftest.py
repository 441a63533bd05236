"""What holds for every test."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A busy machine makes inputs late and tests slow: time is measured in bench/, not asserted here.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

# Daemons and managers are started by the hundred: what Python compiles for one is kept for all.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

_LONGEST_FIRST = ("cluster", "root", "consensus", "managers", "sim")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that no process of xdist is alone with it in the end."""
    here = Path(__file__).parent
    place = {here / name: number for number, name in enumerate(_LONGEST_FIRST)}
    items.sort(key=lambda item: place.get(item.path.parent, len(place)))
