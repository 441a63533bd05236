"""Disconnect a container from a network."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from msgspec.structs import replace

from api.errors import Internal, NoSuchNetwork
from api.types.networks import EndpointSettings, NetworkDisconnectRequest
from engine.containers.attachments import follow, settle
from engine.containers.connect import HostNetwork, check_changeable
from engine.containers.env import ContainersEnv
from engine.networks.disconnect import disconnect as unplug


class NotOnNetwork(Internal):
    """The container that does not run would not be on the network."""

    def __init__(self, container_id: str, network: str) -> None:
        super().__init__(f"container {container_id} is not connected to the network {network}")


async def disconnect(env: ContainersEnv, ref: str, wanted: NetworkDisconnectRequest) -> None:
    """Disconnect a container: at once when it runs, for its next start when not.

    With `Force` a network that is gone is taken off a container that still names it.
    Errors:  NoSuchNetwork, NoSuchContainer, HostNetwork, SharesNetwork, BeingRemoved,
             NotOnNetwork, those of `engine.networks.disconnect`.
    """
    found = env.store.resolve(wanted.Container)
    try:
        network = env.networks.store.get(ref)
        name, network_id = network.name, network.id
    except NoSuchNetwork:
        if not wanted.Force or ref not in found.asked_endpoints:
            raise
        name = network_id = ref
    async with env.live.of(found.id).lock:
        record = env.store.get(found.id)
        if record.host_config.NetworkMode == name == "host":
            raise HostNetwork
        check_changeable(record)
        changed = replace(
            record,
            asked_endpoints=_without(record.asked_endpoints, name),
            endpoints=_without(record.endpoints, name),
        )
        if not record.state.has_process or name not in record.endpoints:
            if name not in record.asked_endpoints:
                raise NotOnNetwork(record.id, name)
            await env.store.put(changed)
            return
        await settle(env, record, changed)
        try:
            await unplug(env.networks, record.id, network_id)
        finally:
            await asyncio.shield(follow(env, changed, record))


def _without(endpoints: Mapping[str, EndpointSettings], name: str) -> dict[str, EndpointSettings]:
    return {key: value for key, value in endpoints.items() if key != name}
