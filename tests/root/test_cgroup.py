"""Moves between control groups, on the kernel's own."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from engine.adapters.cgroup import QuickMoves
from tests.root.node import PATIENCE

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="groups belong to root")


def groups() -> str:
    """Return the groups that we are in."""
    return Path("/proc/self/cgroup").read_text()


async def test_preparing_moves_leaves_us_in_our_groups() -> None:
    before = groups()
    moves = QuickMoves()

    moves.prepare()
    async with asyncio.timeout(5 * PATIENCE):
        await moves.done()

    assert groups() == before


async def test_a_host_without_groups_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.adapters.cgroup._MOUNT", Path("/nonexistent"))
    moves = QuickMoves()

    moves.prepare()

    async with asyncio.timeout(5 * PATIENCE):
        await moves.done()
