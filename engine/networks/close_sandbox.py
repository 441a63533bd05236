"""Close a container's network sandbox."""

from __future__ import annotations

from contextlib import AsyncExitStack

from msgspec.structs import replace

from engine.networks.attach import give_up_places
from engine.networks.endpoint import release_endpoint
from engine.networks.env import NetworksEnv
from engine.networks.overlay_balance import stop_balancing
from engine.networks.overlay_flows import forget_flows_of
from engine.networks.overlay_space import close_unused_spaces
from engine.networks.publish import release_ports
from engine.networks.record import SandboxRecord
from engine.networks.tell import tell


def leave_networks(env: NetworksEnv, container_id: str) -> None:
    """Tell that an ended container is on its networks no more; fine if told, or if on none.

    What this means in the kernel is `close_sandbox`'s to do, behind those who wait for the exit.
    """
    record = env.store.sandbox(container_id)
    if record is None or record.is_left:
        return
    env.store.hold(replace(record, is_left=True))
    for endpoint in record.endpoints:
        tell(env, "disconnect", endpoint, container_id)


async def close_sandbox(env: NetworksEnv, container_id: str) -> None:
    """Take a sandbox away and return when all of it is gone; fine if there is none.

    Its host ports are free for others before the first wait; its addresses when its links are
    gone, for until then the old container's kernel side would answer for them.
    Errors:  Internal; what is left then goes with the next `restore`.
    """
    record = env.store.sandbox(container_id)
    if record is None:
        return
    leave_networks(env, container_id)
    # The withdrawal is in the firewall's queue before anybody can reserve the same port.
    release_ports(env, record.publications)
    env.name_servers.close(container_id)
    stop_balancing(env, container_id)
    env.store.let_go(container_id)
    give_up_places(env, container_id, record.endpoints)
    env.store.begin_close()
    try:
        await _dismantle(env, record)
    finally:
        for endpoint in record.endpoints:
            release_endpoint(env, endpoint)
        await env.store.end_close()
        await close_unused_spaces(env, record.endpoints)


async def _dismantle(env: NetworksEnv, record: SandboxRecord) -> None:
    container_id = record.container_id
    links = [each.link for each in record.endpoints if each.link]
    async with env.store.lock(container_id), AsyncExitStack() as steps:
        # Last in, first done; each is done whatever became of those before it.
        steps.push_async_callback(env.store.forget, container_id)
        steps.push_async_callback(forget_flows_of, env, record)
        steps.push_async_callback(env.links.close_namespace, container_id, links)
        steps.push_async_callback(env.firewall.withdraw, record.publications)
