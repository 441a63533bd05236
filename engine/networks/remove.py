"""Remove a user-defined network."""

from __future__ import annotations

from contextlib import AsyncExitStack

from api.errors import Forbidden
from engine.networks.bridge import network_rules
from engine.networks.create import PredefinedName
from engine.networks.env import NetworksEnv
from engine.networks.predefined import NAMES
from engine.networks.record import NetworkRecord


class NetworkInUse(Forbidden):
    """Containers are connected."""

    def __init__(self, name: str, network_id: str) -> None:
        super().__init__(
            f"error while removing network: network {name} id {network_id} has active endpoints"
        )


async def remove(env: NetworksEnv, ref: str) -> None:
    """Remove a network that no running container uses.

    Errors:  NoSuchNetwork, AmbiguousPrefix, PredefinedName, NetworkInUse, Internal.
    """
    async with env.store.change:
        record = env.store.get(ref)
        if record.name in NAMES:
            raise PredefinedName(record.name)
        if env.store.sandboxes_on(record.id):
            raise NetworkInUse(record.name, record.id)
        await _take_away(env, record)
    env.events.publish(
        "network", "destroy", record.id, {"name": record.name, "type": record.driver}
    )


async def _take_away(env: NetworksEnv, record: NetworkRecord) -> None:
    async with AsyncExitStack() as steps:
        if record.bridge:
            steps.push_async_callback(env.firewall.remove_network, network_rules(record))
            steps.push_async_callback(env.links.remove_bridge, record.bridge)
        others = [each for each in env.store.all() if each.id != record.id]
        if record.has_own_parent and not any(each.parent == record.parent for each in others):
            steps.push_async_callback(env.links.detach, record.parent)
        # First, so that nobody connects meanwhile.
        await env.store.drop(record)
