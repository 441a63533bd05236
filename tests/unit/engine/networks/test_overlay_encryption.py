"""Encrypted networks as they come and go on a node: guarded first, keyed when keys are told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import pytest
from msgspec.structs import replace

from api.types.networks import EndpointIPAMConfig, EndpointSettings
from engine.core.discovery import Member
from engine.core.esp import NetworkKey
from engine.core.overlay import EncryptionUnavailable
from engine.networks.close_sandbox import close_sandbox
from engine.networks.env import NetworksEnv
from engine.networks.open_sandbox import open_sandbox
from engine.networks.overlay import put_overlay, set_members
from engine.networks.overlay_encryption import are_keys_worn, set_keys
from engine.networks.sandbox import SandboxRequest
from tests.fakes.cluster import SHOP
from tests.fakes.node import Daemon, Machine
from tests.fakes.overlay import FakeEncryption

KEYS = [NetworkKey(clock, bytes([clock]) * 32) for clock in (1, 2, 3)]
PEER = Member(names=("b",), addresses=("10.0.7.3",), mac="02:42:0a:00:07:03", node="198.51.100.2")


@asynccontextmanager
async def node() -> AsyncIterator[tuple[NetworksEnv, FakeEncryption]]:
    """Lend a node that knows an encrypted network, and its kernel."""
    daemon = Daemon(Machine())
    await daemon.boot()
    env = daemon.env.networks
    await put_overlay(env, replace(SHOP, options={"encrypted": ""}))
    try:
        yield env, cast("FakeEncryption", env.overlay.encryption)
    finally:
        await daemon.kill()


async def start(env: NetworksEnv) -> None:
    """Open a sandbox on the network."""
    env.overlay.state.placed.add("box")
    wish = EndpointSettings(IPAMConfig=EndpointIPAMConfig(IPv4Address="10.0.7.2"))
    request = SandboxRequest(
        container_id="box", container_name="box", hostname="box", endpoints={"shop": wish}
    )
    await open_sandbox(env, request)


def policies(kernel: FakeEncryption) -> set[str]:
    """Return the peers that packets are encrypted for."""
    return {peer for _, peer, _ in kernel.associations.policies}


async def test_where_the_kernel_cannot_encrypt_nothing_is_opened() -> None:
    """The reason is in the error."""
    async with node() as (env, kernel):
        kernel.lack = "its kernel has no ESP"

        with pytest.raises(EncryptionUnavailable, match=r"cannot do: its kernel has no ESP;"):
            await start(env)

        assert await env.overlay.spaces.keys() == set()
        assert kernel.guards == []


async def test_a_network_is_guarded_without_peers_and_without_keys() -> None:
    """A network with one endpoint takes in nothing either (CVE-2023-28842)."""
    async with node() as (env, kernel):
        await start(env)

        assert kernel.vnis == {each.vni for each in SHOP.tunnels}
        assert policies(kernel) == set()


async def test_peers_and_keys_may_come_in_any_order() -> None:
    """And both may go."""
    async with node() as (env, kernel):
        await start(env)
        await set_members(env, "shop", {"b": PEER})
        assert policies(kernel) == set()
        await set_keys(env, KEYS)
        assert policies(kernel) == {"198.51.100.2"}
        await set_members(env, "shop", {"b": None})
        assert policies(kernel) == set()
        await set_members(env, "shop", {"b": PEER})
        assert policies(kernel) == {"198.51.100.2"}
        await set_keys(env, ())
        assert policies(kernel) == set()


async def test_the_guard_goes_with_the_last_container() -> None:
    """And the associations with it."""
    async with node() as (env, kernel):
        await start(env)
        await set_members(env, "shop", {"b": PEER})
        await set_keys(env, KEYS)

        await close_sandbox(env, "box")

        assert kernel.vnis == set()
        assert not kernel.associations.states


async def test_a_key_is_worn_when_half_of_its_packets_are_sent() -> None:
    """A sequence number never comes twice: the kernel would rather send nothing."""
    async with node() as (env, kernel):
        kernel.sent = 1 << 31
        assert not await are_keys_worn(env)
        await start(env)
        assert await are_keys_worn(env)
        kernel.sent -= 1
        assert not await are_keys_worn(env)


async def test_a_node_without_encrypted_networks_asks_its_kernel_for_nothing() -> None:
    """No module is loaded for what is not used."""
    async with node() as (env, kernel):
        await put_overlay(env, SHOP)
        await start(env)
        await set_members(env, "shop", {"b": PEER})
        await set_keys(env, ())

        assert kernel.guards == []
        assert kernel.calls == []
