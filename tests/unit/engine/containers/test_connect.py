"""Networks of running containers: record, files and sandbox agree, whatever happens."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from api.errors import Internal, SkepError
from api.types.containers import ContainerCreateRequest
from api.types.networks import (
    NetworkConnectRequest,
    NetworkCreateRequest,
    NetworkDisconnectRequest,
)
from engine.containers.connect import connect
from engine.containers.create import create
from engine.containers.disconnect import disconnect
from engine.containers.record import ContainerRecord
from engine.containers.start import start
from engine.networks.create import create as create_network
from engine.networks.overlay import put_overlay
from tests.fakes.cluster import SHOP, Cluster
from tests.fakes.node import Daemon, Machine, settled

# More than either verb has: the last moments are after its end.
MOMENTS = range(14)


async def booted(machine: Machine) -> Daemon:
    """Return a daemon that has restored what is on the machine."""
    daemon = Daemon(machine)
    await daemon.boot()
    return daemon


async def running(machine: Machine, *networks: str) -> tuple[Daemon, str]:
    """Return a daemon with two networks, and a container that runs on these and the default."""
    daemon = await booted(machine)
    for name in ("one", "two"):
        await create_network(daemon.env.networks, NetworkCreateRequest(Name=name))
    request = ContainerCreateRequest(Image="busybox")
    container_id = (await create(daemon.env, request, "box")).Id
    await start(daemon.env, container_id)
    await settled()
    for name in networks:
        await connect(daemon.env, name, NetworkConnectRequest(Container=container_id))
    return daemon, container_id


def networks_of(daemon: Daemon, container_id: str) -> set[str]:
    """Return the networks of a container, on which record, sandbox, links and files agree."""
    record = daemon.store.get(container_id)
    sandbox = daemon.env.networks.store.sandbox(container_id)
    assert sandbox is not None
    names = {each.network_name for each in sandbox.endpoints}
    assert names == set(record.endpoints) == set(record.asked_endpoints)
    assert sandbox.ports == record.ports
    extra = {f"{container_id}/{each.name}" for each in sandbox.endpoints[1:]}
    assert extra == daemon.machine.keys("link")
    listed = daemon.machine.texts["hosts"]
    for each in sandbox.endpoints:
        assert 1 == listed.count(f"{each.settings.IPAddress}\t")
    assert len(sandbox.endpoints) == listed.count("172.") + listed.count("10.0.7.")
    return names


async def in_the_cluster(daemon: Daemon) -> None:
    """Have a daemon know an overlay network, and managers that give places on it."""
    daemon.env.networks.overlay.state.attachments = Cluster(daemon)
    await put_overlay(daemon.env.networks, SHOP)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("to", ["two", "shop_net"])
async def test_a_kill_in_the_middle_of_a_connection_leaves_all_or_nothing(
    moment: int, to: str
) -> None:
    """The next daemon takes a connection back that is not on the container's record."""
    machine = Machine()
    first, container_id = await running(machine, "one")
    await in_the_cluster(first)
    machine.effects_left = moment
    acknowledged = True
    try:
        await connect(first.env, to, NetworkConnectRequest(Container=container_id))
    except SkepError:
        acknowledged = False
    machine.effects_left = 0
    await first.kill()
    machine.effects_left = None

    second = await booted(machine)
    await settled()

    found = networks_of(second, container_id)
    assert found == {"bridge", "one", to} if acknowledged else {"bridge", "one"} <= found
    await second.kill()


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("off", ["two", "shop_net"])
async def test_a_kill_in_the_middle_of_a_disconnection_leaves_all_or_nothing(
    moment: int, off: str
) -> None:
    """Once it is on the container's record, the next daemon goes on with it."""
    machine = Machine()
    first, container_id = await running(machine, "one")
    await in_the_cluster(first)
    await connect(first.env, off, NetworkConnectRequest(Container=container_id))
    machine.effects_left = moment
    acknowledged = True
    try:
        await disconnect(first.env, off, NetworkDisconnectRequest(Container=container_id))
    except SkepError:
        acknowledged = False
    machine.effects_left = 0
    await first.kill()
    machine.effects_left = None

    second = await booted(machine)
    await settled()

    found = networks_of(second, container_id)
    assert found == {"bridge", "one"} if acknowledged else {"bridge", "one"} <= found
    await second.kill()


async def test_a_connection_whose_record_cannot_be_written_is_taken_back() -> None:
    """A full disk at the last moment."""
    machine = Machine()
    daemon, container_id = await running(machine)
    put = daemon.store.put
    daemon.store.put = _refuse_once(put)  # type: ignore[method-assign]  # a disk that is full, once

    with pytest.raises(SkepError, match="disk is full"):
        await connect(daemon.env, "one", NetworkConnectRequest(Container=container_id))

    assert {"bridge"} == networks_of(daemon, container_id)
    await connect(daemon.env, "one", NetworkConnectRequest(Container=container_id))
    assert {"bridge", "one"} == networks_of(daemon, container_id)
    await daemon.kill()


@pytest.mark.parametrize("step", ["link.give", "routes"])
async def test_a_disconnection_that_fails_half_way_is_done_all_the_same(step: str) -> None:
    """What stays in the kernel goes with the sandbox; nobody is told that it is connected."""
    machine = Machine()
    daemon, container_id = await running(machine, "one")
    machine.failing = {step}

    with pytest.raises(SkepError):
        await disconnect(daemon.env, "bridge", NetworkDisconnectRequest(Container=container_id))

    record = daemon.store.get(container_id)
    sandbox = daemon.env.networks.store.sandbox(container_id)
    assert sandbox is not None
    assert ["one"] == [each.network_name for each in sandbox.endpoints] == list(record.endpoints)
    machine.failing = set()
    await daemon.kill()


def _refuse_once(put: Callable[[ContainerRecord], Awaitable[None]]) -> Any:
    refused: list[bool] = []

    async def refusing(record: ContainerRecord) -> None:
        if not refused:
            refused.append(True)
            raise Internal("database or disk is full")
        await put(record)

    return refusing
