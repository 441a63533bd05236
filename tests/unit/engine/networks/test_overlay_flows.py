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
from engine.networks.overlay_flows import age_flows, look_at_flows, retire_published
from engine.networks.sandbox import SandboxRequest
from engine.ports.flows import Doomed
from tests.fakes.cluster import SHOP
from tests.fakes.node import Daemon, Machine
from tests.fakes.overlay import FakeFlows

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


def forgotten(env: NetworksEnv) -> list[tuple[str, str, int, Doomed]]:
    """Return what was to be forgotten: where, to whom, to which port, which of them."""
    return cast("FakeFlows", env.overlay.flows).forgotten


async def test_a_target_that_was_taken_out_has_time_to_end(env: NetworksEnv) -> None:
    """It may be that of a lost node, so that nobody will ever tell of its end."""
    await lead_to(env, "t1", "t2")

    await lead_to(env, "t1")
    await age_flows(env)
    early = [*forgotten(env)]
    await age_flows(env)

    assert [] == early
    assert [(BOX, "10.0.7.4", 0, Doomed.DATAGRAMS | Doomed.STUCK)] == forgotten(env)


async def test_a_target_that_came_back_keeps_what_it_has(env: NetworksEnv) -> None:
    """As one that was unhealthy for a moment."""
    await lead_to(env, "t1", "t2")

    await lead_to(env, "t1")
    await age_flows(env)
    await lead_to(env, "t1", "t2")
    await age_flows(env)

    assert [] == forgotten(env)


async def test_flows_to_a_container_that_is_gone_are_forgotten_at_once(env: NetworksEnv) -> None:
    """Its address on the bridge may be another's soon; one of others has time to end."""
    before = {"172.18.0.9 . 53", "10.0.7.2 . 53"}

    for protocol in ("tcp", "udp"):
        await retire_published(env, (protocol, 53), before, set())
    for _ in range(2):
        await age_flows(env)

    assert [
        (HOST, "172.18.0.9", 0, Doomed.STREAMS),
        (HOST, "172.18.0.9", 0, Doomed.DATAGRAMS),
        (HOST, "10.0.7.2", 53, Doomed.DATAGRAMS),
    ] == forgotten(env)


async def test_streams_are_looked_at_soon_and_for_as_long_as_it_takes(env: NetworksEnv) -> None:
    """Only those that nobody answers are refused: others have the grace period of their task."""
    await lead_to(env, "t1", "t2")
    await lead_to(env, "t1")

    await look_at_flows(env)
    for _ in range(4):
        await age_flows(env)
    await look_at_flows(env)

    stuck = (BOX, "10.0.7.4", 0, Doomed.STUCK)
    assert [stuck, (*stuck[:3], Doomed.DATAGRAMS | Doomed.STUCK), stuck, stuck] == forgotten(env)


async def test_all_flows_to_a_task_that_is_gone_are_forgotten(env: NetworksEnv) -> None:
    """At once where something is sent again, and some time later everywhere; then it is over."""
    await lead_to(env, "t1", "t2")
    await lead_to(env, "t1")

    await set_members(env, "shop", {"t2": None})
    for _ in range(3):
        await age_flows(env)
    await look_at_flows(env)

    assert [(BOX, "10.0.7.4", 0, Doomed.ALL)] * 2 == forgotten(env)


async def test_an_address_that_is_given_again_is_left_alone(env: NetworksEnv) -> None:
    """What leads there from then on is the new task's."""
    await set_members(env, "shop", {"t2": None})
    early = [*forgotten(env)]

    again = Member(
        names=("t3",), addresses=("10.0.7.4",), mac="02:42:0a:00:07:04", node="192.0.2.2"
    )
    await set_members(env, "shop", {"t3": again})
    for _ in range(2):
        await age_flows(env)

    assert early == forgotten(env)
