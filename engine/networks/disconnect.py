"""Disconnect a running container from a network."""

from __future__ import annotations

from contextlib import AsyncExitStack

from api.errors import Internal
from engine.core.firewall import Publication
from engine.networks.attach import give_up_places
from engine.networks.connect import sandbox_or_refuse
from engine.networks.endpoint import link_order, release_endpoint
from engine.networks.env import NetworksEnv
from engine.networks.open_sandbox import sandbox_of
from engine.networks.overlay_balance import balance_sandbox
from engine.networks.overlay_space import close_unused_spaces
from engine.networks.publish import release_ports
from engine.networks.record import SandboxRecord
from engine.networks.reshape import enforce, reshaped
from engine.networks.resolver import needs_resolver
from engine.networks.sandbox import Sandbox
from engine.networks.tell import tell


class NotConnected(Internal):
    """The container is not on the network."""

    def __init__(self, container_id: str, network: str) -> None:
        super().__init__(f"container {container_id} is not connected to network {network}")


async def disconnect(env: NetworksEnv, container_id: str, ref: str) -> Sandbox:
    """Unplug a running container from a network; return its sandbox as it is then.

    Never half done: once it is begun every step is tried, and what fails goes with the sandbox. It
    comes off the record last, so that after a crash it is known what there was to take out.
    Errors:  NoSuchNetwork, NoSandbox, NotConnected, Internal.
    """
    async with env.store.lock(container_id):
        network = env.store.get(ref)
        before = sandbox_or_refuse(env, container_id)
        leaving = [each for each in before.endpoints if each.network_id == network.id]
        if not leaving:
            raise NotConnected(container_id, network.name)
        endpoint = leaving[0]
        staying = [each for each in before.endpoints if each.network_id != network.id]
        after = reshaped(env, before, staying)
        env.store.hold(after)
        if not needs_resolver(after):
            env.name_servers.close(container_id)
        async with AsyncExitStack() as steps:
            # Last in, first done; each is done whatever became of those before it.
            steps.push_async_callback(close_unused_spaces, env, [endpoint])
            steps.callback(release_endpoint, env, endpoint)
            steps.callback(release_ports, env, _given_up(before, after))
            # Before its address can be another's.
            steps.push_async_callback(env.store.save, after)
            steps.push_async_callback(enforce, env, before, after)
            steps.push_async_callback(balance_sandbox, env, after)
            order = link_order(env, network, endpoint, {})
            steps.push_async_callback(env.links.unplug, container_id, order)
    give_up_places(env, container_id, [endpoint])
    tell(env, "disconnect", endpoint, container_id)
    return sandbox_of(env, after)


def _given_up(before: SandboxRecord, after: SandboxRecord) -> list[Publication]:
    kept = {(each.protocol, each.host_ip, each.host_port) for each in after.publications}
    return [
        each
        for each in before.publications
        if (each.protocol, each.host_ip, each.host_port) not in kept
    ]
