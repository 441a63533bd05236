"""Places on overlay networks: what was given counts, and what comes to nothing is given up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from api.errors import Internal
from api.types.containers import ContainerCreateRequest, HostConfig
from api.types.networks import EndpointSettings
from engine.containers.create import create
from engine.containers.start import start
from engine.networks.attach import know_network
from engine.networks.connect import connect
from engine.networks.endpoint import MacFollowsAddress
from engine.networks.open_sandbox import open_sandbox
from engine.networks.overlay import put_overlay
from engine.networks.sandbox import SandboxRequest
from tests.fakes.cluster import SHOP, Cluster
from tests.fakes.node import Daemon, Machine, settled


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    """Lend a daemon in a cluster."""
    daemon = Daemon(Machine())
    await daemon.boot()
    cluster = Cluster(daemon)
    daemon.env.networks.overlay.state.attachments = cluster
    yield cluster
    await daemon.kill()


def request(*networks: str, mac: str = "") -> SandboxRequest:
    """Return what a container that is no task asks for."""
    return SandboxRequest(
        container_id="box",
        container_name="box",
        hostname="box",
        endpoints={each: EndpointSettings(MacAddress=mac) for each in networks},
    )


async def test_a_place_is_the_containers_until_its_sandbox_is_held(cluster: Cluster) -> None:
    """The managers are told who has places: none may be missing in between."""
    env = cluster.daemon.env.networks
    seen: list[set[tuple[str, str]]] = []
    cluster.daemon.machine.records.on_apply = lambda: seen.append(set(env.overlay.state.granted))

    await open_sandbox(env, request("bridge", "shop_net"))

    assert {("box", "shop")} in seen
    assert set() == env.overlay.state.granted
    box = env.store.sandbox("box")
    assert box is not None
    assert ["bridge", "shop_net"] == [each.network_name for each in box.endpoints]
    assert 0 == cluster.looks


async def test_a_start_that_fails_gives_its_place_up(cluster: Cluster) -> None:
    """Or the address would be taken for as long as nobody else leaves the network."""
    cluster.daemon.machine.failing = {"netns.take"}

    with pytest.raises(Internal):
        await open_sandbox(cluster.daemon.env.networks, request("shop_net"))

    assert set() == cluster.daemon.env.networks.overlay.state.granted
    assert 1 == cluster.looks


async def test_an_answer_that_was_lost_gives_its_place_up(cluster: Cluster) -> None:
    """The managers may have given it."""
    cluster.failing = True

    with pytest.raises(Internal):
        await open_sandbox(cluster.daemon.env.networks, request("shop_net"))

    assert 1 == cluster.looks


async def test_a_connection_that_fails_gives_its_place_up(cluster: Cluster) -> None:
    env = cluster.daemon.env.networks
    await open_sandbox(env, request("bridge"))
    cluster.daemon.machine.failing = {"link.take"}

    with pytest.raises(Internal):
        await connect(env, "box", "shop_net", EndpointSettings())

    assert set() == env.overlay.state.granted
    assert 1 == cluster.looks


async def test_to_know_a_network_keeps_no_place(cluster: Cluster) -> None:
    """A container that does not run gets one when it starts."""
    env = cluster.daemon.env.networks

    await know_network(env, "box", "box", "shop_net")

    assert env.store.find("shop_net") is not None
    assert 1 == cluster.looks


async def test_a_network_made_anew_is_found_by_its_name(cluster: Cluster) -> None:
    """For a moment the node knows the old one only, which the managers have no more."""
    env = cluster.daemon.env.networks
    await put_overlay(env, replace(SHOP, id="past"))

    await open_sandbox(env, request("shop_net"))

    box = env.store.sandbox("box")
    assert box is not None
    assert ["shop"] == [each.network_id for each in box.endpoints]


async def test_a_mac_address_is_not_chosen_on_an_overlay_network(cluster: Cluster) -> None:
    """The other nodes would send to the one that follows from its IP address."""
    env = cluster.daemon.env.networks

    with pytest.raises(MacFollowsAddress):
        await open_sandbox(env, request("shop_net", mac="02:42:aa:bb:cc:dd"))

    assert 1 == cluster.looks


async def test_a_start_that_is_cancelled_while_managers_think_leaves_nothing(
    cluster: Cluster,
) -> None:
    """As the answer comes it is found that nobody waits for it any more."""
    daemon = cluster.daemon
    cluster.answer.clear()
    wanted = ContainerCreateRequest(Image="busybox", HostConfig=HostConfig(NetworkMode="shop_net"))
    container_id = (await create(daemon.env, wanted, "box")).Id
    before = set(daemon.machine.held)
    starting = asyncio.ensure_future(start(daemon.env, container_id))
    await cluster.asked.wait()

    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)
    cluster.answer.set()
    await settled()

    assert before == daemon.machine.held - {("files", container_id)}
    assert daemon.env.networks.store.sandbox(container_id) is None
