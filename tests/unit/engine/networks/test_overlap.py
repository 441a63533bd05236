"""Subnets of the cluster's networks and of the node's own: they meet in no container."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from api.types.networks import (
    IPAM,
    EndpointIPAMConfig,
    EndpointSettings,
    IPAMConfig,
    NetworkCreateRequest,
)
from engine.core.overlay import Tunnel
from engine.networks.connect import connect
from engine.networks.create import create
from engine.networks.env import NetworksEnv
from engine.networks.open_sandbox import open_sandbox
from engine.networks.overlap import SubnetsMeet
from engine.networks.overlay import OverlayNetwork, put_overlay
from engine.networks.sandbox import SandboxRequest
from engine.networks.subnets import PoolOverlaps
from tests.fakes.node import Daemon, Machine


@pytest.fixture
async def env() -> AsyncIterator[NetworksEnv]:
    """Lend the networks of a daemon that knows the overlay network shop_net, 10.0.7.0/24."""
    daemon = Daemon(Machine())
    await daemon.boot()
    networks = daemon.env.networks
    await put_overlay(networks, shop("10.0.7.0/24"))
    networks.overlay.state.placed.add("box")
    yield networks
    await daemon.kill()


def bridge(name: str, subnet: str) -> NetworkCreateRequest:
    """Return what asks for a bridge network with a subnet."""
    return NetworkCreateRequest(Name=name, IPAM=IPAM(Config=[IPAMConfig(Subnet=subnet)]))


def box(*networks: str) -> SandboxRequest:
    """Return a container on networks, with the address that managers gave it on shop_net."""
    given = EndpointSettings(IPAMConfig=EndpointIPAMConfig(IPv4Address="10.0.7.2"))
    return SandboxRequest(
        container_id="box",
        container_name="box",
        hostname="box",
        endpoints={each: given if each == "shop_net" else EndpointSettings() for each in networks},
    )


async def test_a_bridge_gets_no_subnet_of_an_overlay_network(env: NetworksEnv) -> None:
    """The node knows of those that it has."""
    with pytest.raises(PoolOverlaps):
        await create(env, bridge("inner", "10.0.7.128/25"))


async def test_no_container_is_on_networks_that_share_addresses(env: NetworksEnv) -> None:
    """Managers gave the subnet when the node's bridge had it already."""
    await create(env, bridge("own", "10.0.8.0/24"))
    await put_overlay(env, shop("10.0.0.0/16"))

    with pytest.raises(SubnetsMeet, match=r"10\.0\.8\.0/24 \(network own\)"):
        await open_sandbox(env, box("own", "shop_net"))
    assert env.store.sandbox("box") is None
    await open_sandbox(env, box("shop_net"))
    with pytest.raises(SubnetsMeet):
        await connect(env, "box", "own", EndpointSettings())


def shop(subnet: str) -> OverlayNetwork:
    """Return the network with a subnet."""
    return OverlayNetwork(
        id="shop",
        name="shop_net",
        created_ns=1,
        tunnels=(Tunnel(subnet, 4097),),
        address="192.0.2.1",
        port=4789,
        mtu=1450,
        internal=True,
    )
