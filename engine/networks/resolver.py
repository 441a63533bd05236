"""The resolver of a sandbox: opened where a container has a user-defined network."""

from __future__ import annotations

from itertools import count

from engine.core.dns import Forward
from engine.core.dns_memory import AnswerMemory
from engine.networks.env import NetworksEnv
from engine.networks.names import DEFAULT_BRIDGE
from engine.networks.record import SandboxRecord
from engine.networks.sandbox import INGRESS_SANDBOX


def needs_resolver(record: SandboxRecord) -> bool:
    """Tell whether a container finds others by name.

    The default bridge alone has no names, and in the ingress sandbox there is nobody who asks.
    """
    has_names = any(each.network_name != DEFAULT_BRIDGE for each in record.endpoints)
    return has_names and record.container_id != INGRESS_SANDBOX


async def open_resolver(env: NetworksEnv, record: SandboxRecord) -> None:
    """Answer the container of a sandbox, if it needs that. Errors: Internal."""
    if not needs_resolver(record):
        return
    container_id = record.container_id
    turns = count()
    memory = AnswerMemory()

    def ask(packet: bytes, over_tcp: bool) -> bytes | Forward | None:
        view = env.store.view(container_id)
        return memory.answer(packet, env.store.directory, view, next(turns), over_tcp=over_tcp)

    path = env.links.namespace_path(container_id)
    await env.name_servers.open(container_id, path, ask, lambda: record.nameservers)
