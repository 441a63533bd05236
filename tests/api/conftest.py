"""A served sample application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.api.sample import Sample
from tests.api.served import Client, serve


@pytest.fixture
async def sample() -> Sample:
    """Lend an application."""
    return Sample()


@pytest.fixture
async def client(sample: Sample, tmp_path: Path) -> AsyncIterator[Client]:
    """Lend a client of the application."""
    async with serve(sample.app, tmp_path / "api.sock") as served:
        yield served
