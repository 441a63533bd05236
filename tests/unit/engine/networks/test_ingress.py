"""The node's sandbox on the ingress network: of both families, where the kernel has both."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from engine.core.discovery import Member
from engine.core.mesh import PublishedService
from engine.core.overlay import Tunnel
from engine.networks.env import NetworksEnv
from engine.networks.ingress import open_ingress, published_targets, set_published
from engine.networks.outside import OUTSIDE
from engine.networks.overlay import OverlayNetwork, put_overlay, set_members
from engine.networks.sandbox import INGRESS_SANDBOX
from tests.fakes.node import Daemon, Machine

OWN = ("10.0.0.2", "fd00::2")


@pytest.fixture
async def env() -> AsyncIterator[NetworksEnv]:
    """Lend the networks of a daemon that knows the ingress network, with a task elsewhere."""
    daemon = Daemon(Machine())
    await daemon.boot()
    networks = daemon.env.networks
    await put_overlay(
        networks,
        OverlayNetwork(
            id="mesh",
            name="ingress",
            created_ns=1,
            tunnels=(Tunnel("10.0.0.0/24", 4097), Tunnel("fd00::/64", 4098)),
            address="192.0.2.1",
            port=4789,
            mtu=1450,
            is_ingress=True,
            ipv6=True,
        ),
    )
    task = Member(addresses=("10.0.0.3", "fd00::3"), mac="02:42:0a:00:00:03", node="192.0.2.2")
    await set_members(networks, "mesh", {"t": task}, is_complete=True)
    yield networks
    await daemon.kill()


def led_to(env: NetworksEnv) -> list[str]:
    """Return whom the host leads a published port to, when all tasks are elsewhere."""
    service = PublishedService(ports=(("tcp", 8080, 80),), targets={"t": 1})
    here, _ = published_targets(env, env.store.get("mesh"), [service])
    return sorted(here["tcp", 8080])


async def test_ports_are_led_to_the_sandbox_in_both_families(env: NetworksEnv) -> None:
    await open_ingress(env, "mesh", OWN)

    box = env.store.sandbox(INGRESS_SANDBOX)
    assert box is not None
    assert box.endpoints[0].settings.GlobalIPv6Address == OWN[1]
    assert [each.count(":") > 1 for each in led_to(env)] == [False, True]


async def test_a_kernel_without_ipv6_has_the_other_family(
    env: NetworksEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Managers give both to every node; one that lacks one of them is not without ports."""
    monkeypatch.setattr(env.links, "has_ipv6", lambda: False)

    await open_ingress(env, "mesh", OWN)

    box = env.store.sandbox(INGRESS_SANDBOX)
    assert box is not None
    assert {each.settings.GlobalIPv6Address for each in box.endpoints} == {""}
    assert not env.store.get(OUTSIDE).ipv6
    assert [each.count(":") for each in led_to(env)] == [0]


async def test_a_service_of_the_local_policy_is_not_led_elsewhere(env: NetworksEnv) -> None:
    """And the node says that it has none of its tasks."""
    await open_ingress(env, "mesh", OWN)
    service = PublishedService(
        ports=(("tcp", 8080, 80),), targets={"t": 1}, is_local_only=True, name="web", health_port=90
    )

    await set_published(env, "mesh", {"s": service}, is_complete=True)

    assert [{}, {}] == [
        dict(each["tcp", 8080]) for each in published_targets(env, env.store.get("mesh"), [service])
    ]
    assert {90: ("web", 0)} == getattr(env.overlay.health, "told", None)
