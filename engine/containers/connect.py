"""Connect a container to a network."""

from __future__ import annotations

import asyncio

from msgspec.structs import replace

from api.errors import Conflict, InvalidArgument
from api.types.networks import EndpointSettings, NetworkConnectRequest
from engine.containers.attachments import settle, take_back
from engine.containers.env import ContainersEnv
from engine.containers.record import ContainerRecord
from engine.core.container_state import Status
from engine.core.create_checks import joined_container
from engine.networks.attach import know_network
from engine.networks.connect import connect as plug
from engine.networks.endpoint import check_wishes
from engine.networks.record import NetworkRecord


class SharesNetwork(InvalidArgument):
    """The container has no network of its own."""

    def __init__(self) -> None:
        super().__init__(
            "container sharing network namespace with another container or host cannot be "
            "connected to any other network"
        )


class HostNetwork(InvalidArgument):
    """The host's network is chosen at the creation, or never."""

    def __init__(self) -> None:
        super().__init__(
            "container cannot be disconnected from host network or connected to host network"
        )


class NoneNetwork(InvalidArgument):
    """No network at all, and another one, is a contradiction."""

    def __init__(self) -> None:
        super().__init__(
            "container cannot be connected to multiple networks with one of the networks in "
            "private (none) mode"
        )


class BeingRemoved(Conflict):
    """The container is going."""

    def __init__(self, container_id: str) -> None:
        super().__init__(
            f"Container {container_id} is marked for removal and cannot be connected or "
            "disconnected to the network"
        )


async def connect(env: ContainersEnv, ref: str, wanted: NetworkConnectRequest) -> None:
    """Connect a container: at once when it runs, with its next start when not.

    Errors:  NoSuchNetwork, NoSuchContainer, SharesNetwork, HostNetwork, NoneNetwork, BeingRemoved,
             those of `engine.networks.connect`.
    """
    found = env.store.resolve(wanted.Container)
    await know_network(env.networks, found.id, found.name, ref)
    network = env.networks.store.get(ref)
    asked = wanted.EndpointConfig or EndpointSettings()
    async with env.live.of(found.id).lock:
        record = env.store.get(found.id)
        check_changeable(record)
        _check(record, network)
        check_wishes(network, env.networks.store.subnets(network.id), asked)
        asked_endpoints = {**record.asked_endpoints, network.name: asked}
        changed = replace(record, asked_endpoints=asked_endpoints)
        if not record.state.has_process:
            endpoints = {**record.endpoints, network.name: replace(asked, NetworkID=network.id)}
            await env.store.put(replace(changed, endpoints=endpoints))
            return
        sandbox = await plug(env.networks, record.id, network.id, asked)
        changed = replace(changed, endpoints=sandbox.endpoints, ports=sandbox.ports)
        try:
            await settle(env, record, changed)
        except BaseException:
            await asyncio.shield(take_back(env, record, changed, network.id))
            raise


def check_changeable(record: ContainerRecord) -> None:
    """Refuse containers whose networks cannot change. Errors: SharesNetwork, BeingRemoved."""
    if record.state.status in {Status.REMOVING, Status.DEAD}:
        raise BeingRemoved(record.id)
    mode = record.host_config.NetworkMode
    if mode == "host" or joined_container(mode) is not None:
        raise SharesNetwork


def _check(record: ContainerRecord, network: NetworkRecord) -> None:
    if network.driver == "host":
        raise HostNetwork
    if network.driver == "null" or set(record.asked_endpoints) == {"none"}:
        raise NoneNetwork
