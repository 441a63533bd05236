"""Wait for what other tasks do, without time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest


async def until(condition: Callable[[], bool], what: str = "it") -> None:
    """Return when the condition holds; fail when it does not after many turns of the loop."""
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0)
    pytest.fail(f"{what} does not come")
