"""User-defined bridges on the real kernel."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from api.errors import SkepError
from api.types.networks import IPAM, IPAMConfig, NetworkCreateRequest
from engine.networks.create import create
from engine.networks.inspect import inspect
from engine.networks.open_sandbox import open_sandbox
from engine.networks.remove import NetworkInUse, remove
from engine.networks.subnets import PoolOverlaps
from tests.root.network_bed import Bed, new_bed, request, run


@pytest.fixture
async def bed() -> AsyncIterator[Bed]:
    """Lend a bed."""
    made = await new_bed()
    try:
        yield made
    finally:
        await made.destroy()


def wanted(
    name: str, *subnets: str, ipv6: bool = False, bridge: str | None = None
) -> NetworkCreateRequest:
    """Ask for a network with these subnets, its bridge by this name."""
    pools = IPAM(Config=[IPAMConfig(Subnet=each) for each in subnets])
    options = None if bridge is None else {"com.docker.network.bridge.name": bridge}
    return NetworkCreateRequest(Name=name, IPAM=pools, EnableIPv6=ipv6, Options=options)


def pings(namespace: str, address: str) -> bool:
    """Tell whether an address answers."""
    done = run("nsenter", f"--net={namespace}", "busybox", "ping", "-c1", "-W1", address)
    return done.returncode == 0


async def test_a_dual_stack_network_carries_both_families(bed: Bed) -> None:
    """And a container on two networks has an interface on each."""
    await create(bed.env, wanted("dual", "10.214.1.0/24", "fd00:d214::/64", ipv6=True))

    one = await open_sandbox(bed.env, request("a1", bridge="", dual=""))
    two = await open_sandbox(bed.env, request("a2", dual=""))

    endpoint = one.endpoints["dual"]
    assert pings(two.netns_path, endpoint.IPAddress)
    assert pings(two.netns_path, endpoint.GlobalIPv6Address)
    shown = await inspect(bed.env, "dual")
    assert set(shown.Containers or ()) == {"a1", "a2"}


async def test_networks_are_isolated_from_one_another(bed: Bed) -> None:
    """What is not published is not reached from another bridge."""
    await create(bed.env, wanted("other", "10.214.2.0/24"))

    one = await open_sandbox(bed.env, request("a1"))
    two = await open_sandbox(bed.env, request("a2", other=""))

    assert not pings(two.netns_path, one.endpoints["bridge"].IPAddress)


async def test_a_network_in_use_is_kept_and_a_free_one_goes_without_a_trace(bed: Bed) -> None:
    """Bridge, table elements and name."""
    before = run("nft", "list", "table", "inet", bed.settings.firewall_table).stdout
    await create(bed.env, wanted("mine", "10.214.3.0/24"))
    await open_sandbox(bed.env, request("a1", mine=""))
    bridge = bed.env.store.get("mine").bridge

    with pytest.raises(NetworkInUse):
        await remove(bed.env, "mine")
    await bed.restart([])
    await remove(bed.env, "mine")

    assert run("ip", "link", "show", bridge).returncode != 0
    assert before == run("nft", "list", "table", "inet", bed.settings.firewall_table).stdout


async def test_overlapping_subnets_are_refused(bed: Bed) -> None:
    """With Docker's words, and nothing is left."""
    await create(bed.env, wanted("mine", "10.214.4.0/24"))

    with pytest.raises(PoolOverlaps):
        await create(bed.env, wanted("yours", "10.214.0.0/16"))

    assert bed.env.store.find("yours") is None


@pytest.mark.parametrize("part", ["firewall", "records"])
async def test_a_failed_creation_leaves_nothing(bed: Bed, part: str) -> None:
    """Neither bridge nor record."""
    bridge = f"{bed.settings.bridge}x"
    if part == "firewall":
        run("nft", "delete", "table", "inet", bed.settings.firewall_table)
    else:
        bed.records.is_failing = True

    with pytest.raises(SkepError):
        await create(bed.env, wanted("mine", "10.214.5.0/24", bridge=bridge))

    bed.records.is_failing = False
    assert bed.env.store.find("mine") is None
    assert run("ip", "link", "show", bridge).returncode != 0
