"""Flows of datagrams to targets that get nothing new: when they are forgotten, and when not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import cast

import pytest

from api.types.networks import EndpointIPAMConfig, EndpointSettings
from engine.core.discovery import Member, OverlayService
from engine.networks.env import NetworksEnv
from engine.networks.open_sandbox import open_sandbox
from engine.networks.overlay import put_overlay, set_members, set_services
from engine.networks.overlay_flows import age_flows, retire_published
from engine.networks.sandbox import SandboxRequest
from tests.fakes.cluster import SHOP
from tests.fakes.node import Daemon, Machine
from tests.fakes.overlay import FakeBalancers

HOST = "/proc/thread-self/ns/net"
BOX = "/run/netns/box"


@pytest.fixture
async def env() -> AsyncIterator[NetworksEnv]:
    """Lend the networks of a daemon with the container box on an overlay network of two tasks."""
    daemon = Daemon(Machine())
    await daemon.boot()
    networks = daemon.env.networks
    await put_overlay(networks, SHOP)
    networks.overlay.state.placed.add("box")
    given = EndpointSettings(IPAMConfig=EndpointIPAMConfig(IPv4Address="10.0.7.2"))
    await open_sandbox(
        networks,
        SandboxRequest(
            container_id="box",
            container_name="box",
            hostname="box",
            endpoints={"shop_net": given},
        ),
    )
    tasks = {
        name: Member(names=(name,), addresses=(address,), mac="02:42:0a:00:07:03", node="192.0.2.2")
        for name, address in (("t1", "10.0.7.3"), ("t2", "10.0.7.4"))
    }
    await set_members(networks, "shop", tasks, is_complete=True)
    yield networks
    await daemon.kill()


async def lead_to(env: NetworksEnv, *names: str) -> None:
    """Have the service lead to these tasks."""
    service = OverlayService(
        names=("web",), addresses=("10.0.7.100",), targets=dict.fromkeys(names, 1)
    )
    await set_services(env, "shop", {"web": service})


def forgotten(env: NetworksEnv) -> list[tuple[str, str, int]]:
    """Return what was to be forgotten: where, to whom, to which port."""
    return cast("FakeBalancers", env.overlay.balancers).forgotten


async def test_a_target_that_was_taken_out_has_time_to_end(env: NetworksEnv) -> None:
    """It may be that of a lost node, so that nobody will ever tell of its end."""
    await lead_to(env, "t1", "t2")

    await lead_to(env, "t1")
    await age_flows(env)
    early = [*forgotten(env)]
    await age_flows(env)

    assert [] == early
    assert [(BOX, "10.0.7.4", 0)] == forgotten(env)


async def test_a_target_that_came_back_keeps_what_it_has(env: NetworksEnv) -> None:
    """As one that was unhealthy for a moment."""
    await lead_to(env, "t1", "t2")

    await lead_to(env, "t1")
    await age_flows(env)
    await lead_to(env, "t1", "t2")
    await age_flows(env)

    assert [] == forgotten(env)


async def test_flows_to_a_container_that_is_gone_are_forgotten_at_once(env: NetworksEnv) -> None:
    """Its address on the bridge may be another's soon; streams end by themselves."""
    before = {"172.18.0.9 . 53", "10.0.7.2 . 53"}

    await retire_published(env, ("tcp", 53), before, set())
    streams = [*forgotten(env)]
    await retire_published(env, ("udp", 53), before, set())
    for _ in range(2):
        await age_flows(env)

    assert [] == streams
    assert [(HOST, "172.18.0.9", 0), (HOST, "10.0.7.2", 53)] == forgotten(env)
