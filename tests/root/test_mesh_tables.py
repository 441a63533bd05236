"""The tables of published ports in the kernel, changed piece by piece."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping

import pytest

from engine.adapters.sandbox_nft import SandboxNft
from engine.core.mesh import Mesh
from tests.cluster.lan import run

PORTS = {("tcp", 8080), ("udp", 53), ("sctp", 7)}


@pytest.fixture
def space() -> Iterator[str]:
    """Lend a network namespace."""
    name = f"mesh-{secrets.token_hex(3)}"
    run("ip", "netns", "add", name)
    yield f"/run/netns/{name}"
    run("ip", "netns", "del", name)


def spread(*numbers: int) -> Mapping[tuple[str, int], Mapping[str, int]]:
    """Return so many targets of both families behind each port."""
    targets = [f"{start}{each} . 80" for each in numbers for start in ("10.0.0.", "fd00::")]
    return {port: dict.fromkeys(targets, 1) for port in PORTS}


async def test_the_kernel_takes_each_change_by_itself(space: str) -> None:
    """No change needs the whole table anew, whose cost would be that of all services."""
    balancers = SandboxNft()
    mesh = Mesh("t", is_host=True)
    sizes = [range(2, last) for last in (3, 5, 12, 4, 3, 2, 7)]

    await balancers.run("k", space, mesh.whole({}))
    for size in sizes:
        await balancers.run("k", space, mesh.change(spread(*size)))

    held = targets_in(space)
    await balancers.run("k", space, mesh.change({}, PORTS))
    balancers.close("k")
    assert 2 * len(PORTS) * len(sizes[-1]) == held
    assert 0 == targets_in(space)


def targets_in(space: str) -> int:
    """Return how many targets the tables have."""
    listed = run("nsenter", f"--net={space}", "nft", "list", "table", "inet", "t")
    return len(re.findall(r" \. 80\b", listed))
