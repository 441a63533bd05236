"""Transactions inside of sandboxes that come and go."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator

import pytest

from engine.adapters.sandbox_nft import SandboxNft
from engine.ports.overlay import Transaction
from tests.cluster.lan import run


@pytest.fixture
def name() -> Iterator[str]:
    """Lend the name of a network namespace."""
    name = f"nft-{secrets.token_hex(3)}"
    run("ip", "netns", "add", name)
    yield name
    run("ip", "netns", "del", name)


@pytest.mark.parametrize("together", [False, True])
async def test_a_sandbox_that_goes_during_a_change_is_not_taken_for_the_next_one(
    name: str, together: bool
) -> None:
    """What is kept for a sandbox holds its namespace; a container is started again under its id."""
    balancers = SandboxNft()
    path = f"/run/netns/{name}"
    order = Transaction("box", path, "add table inet before")
    work = balancers.run_all([order]) if together else balancers.run("box", path, order.text)
    changing = asyncio.ensure_future(work)
    await asyncio.sleep(0)

    balancers.close("box")
    await changing
    run("ip", "netns", "del", name)
    run("ip", "netns", "add", name)
    await balancers.run("box", path, "add table inet after")

    listed = run("nsenter", f"--net={path}", "nft", "list", "tables")
    balancers.close_all()
    assert listed == "table inet after\n"
