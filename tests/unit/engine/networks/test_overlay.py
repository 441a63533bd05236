"""Overlay networks as they come and go on a node."""

from __future__ import annotations

import asyncio

from msgspec.structs import replace

from api.types.networks import EndpointIPAMConfig, EndpointSettings
from engine.containers.endpoints import by_name
from engine.networks.close_sandbox import close_sandbox
from engine.networks.open_sandbox import open_sandbox
from engine.networks.overlay import drop_overlay, put_overlay
from engine.networks.sandbox import SandboxRequest
from tests.fakes.cluster import SHOP
from tests.fakes.node import Daemon, Machine


async def test_a_network_that_is_dropped_while_its_last_container_goes_leaves_nothing() -> None:
    """The managers' word comes while the kernel is still at work on the container."""
    daemon = Daemon(Machine())
    await daemon.boot()
    env = daemon.env.networks
    env.overlay.state.placed.add("box")
    await put_overlay(env, SHOP)
    wish = EndpointSettings(IPAMConfig=EndpointIPAMConfig(IPv4Address="10.0.7.2"))
    await open_sandbox(
        env,
        SandboxRequest(
            container_id="box", container_name="box", hostname="box", endpoints={"shop": wish}
        ),
    )
    closing = asyncio.ensure_future(close_sandbox(env, "box"))
    await asyncio.sleep(0)

    assert {"shop"} == await env.overlay.spaces.keys()
    assert await drop_overlay(env, "shop")
    await closing

    assert set() == await env.overlay.spaces.keys()
    await daemon.kill()


async def test_a_network_made_anew_under_its_name_is_not_taken_for_the_one_before() -> None:
    """`docker stack rm` and `deploy`: the old one's containers end while the new one's begin."""
    daemon = Daemon(Machine())
    await daemon.boot()
    env = daemon.env
    old, new = replace(SHOP, id="old"), replace(SHOP, id="new")
    wish = EndpointSettings()
    await put_overlay(env.networks, old)
    assert {"shop_net": wish} == by_name(env, "old", {"old": wish})

    await put_overlay(env.networks, new)

    assert {"shop_net": wish} == by_name(env, "new", {"new": wish})
    assert {"old": wish} == by_name(env, "old", {"old": wish})
    assert "new" == env.networks.store.get("shop_net").id
    assert await drop_overlay(env.networks, "old")
    assert "new" == env.networks.store.get("shop_net").id
    await daemon.kill()
