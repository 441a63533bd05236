"""Leave the host as it was, as far as no container needs the network."""

from __future__ import annotations

from engine.networks.bridge import network_rules
from engine.networks.env import NetworksEnv
from engine.networks.ingress import close_ingress
from engine.networks.sandbox import INGRESS_SANDBOX


async def shut_down(env: NetworksEnv) -> None:
    """Take the firewall's table, and our rules in others' chains, away if no sandbox is open.

    `restore` sets them up again. Errors: Internal.
    """
    if any(each.container_id != INGRESS_SANDBOX for each in env.store.all_sandboxes()):
        return
    if env.store.sandbox(INGRESS_SANDBOX) is not None:
        await close_ingress(env)
    for network in env.store.all():
        if network.bridge:
            await env.firewall.remove_network(network_rules(network))
    await env.firewall.remove_table()
