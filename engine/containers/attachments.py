"""A running container's networks on record and in its files, kept in step with its sandbox.

A daemon may be killed between any two steps. The container's record decides: what a sandbox has
besides is taken out of it at the next start (`agree`). So a connection goes on record when it is
there, and a disconnection before it is begun.
"""

from __future__ import annotations

import structlog
from msgspec.structs import replace

from api.errors import SkepError
from engine.containers.env import ContainersEnv
from engine.containers.etc import note_addresses
from engine.containers.record import ContainerRecord
from engine.networks.disconnect import disconnect as unplug
from engine.networks.open_sandbox import sandbox_of

log = structlog.get_logger(__name__)


async def settle(env: ContainersEnv, before: ContainerRecord, after: ContainerRecord) -> None:
    """Put a running container's other networks on record, and their addresses in its files.

    The files have at any moment what is on record: lines come before it and go after it.
    """
    if before.endpoints.keys() < after.endpoints.keys():
        await note_addresses(env, before, after)
        await env.store.put(after)
    else:
        await env.store.put(after)
        await note_addresses(env, before, after)


async def follow(env: ContainersEnv, wished: ContainerRecord, before: ContainerRecord) -> None:
    """Bring a container's record to what its sandbox is by now.

    `wished` is the record if what was begun was done, `before` if none of it was.
    """
    sandbox = env.networks.store.sandbox(wished.id)
    if sandbox is None:
        return
    now = sandbox_of(env.networks, sandbox)
    if now.endpoints.keys() == wished.endpoints.keys():
        await env.store.put(replace(wished, endpoints=now.endpoints, ports=now.ports))
    else:
        await settle(env, wished, before)


async def take_back(
    env: ContainersEnv, before: ContainerRecord, after: ContainerRecord, network_id: str
) -> None:
    """Unplug a container whose record could not be changed, and leave that as it was."""
    env.store.set(before)
    try:
        await unplug(env.networks, before.id, network_id)
        await settle(env, after, before)
    except SkepError as error:
        log.warning("network.not_taken_back", container_id=before.id, reason=error.message)


async def agree(env: ContainersEnv, container_id: str) -> None:
    """Take out of a sandbox what its container's record knows nothing of, after a crash.

    Call when the networks are restored.
    """
    sandbox = env.networks.store.sandbox(container_id)
    if sandbox is None:
        return
    record = env.store.get(container_id)
    known = {each.NetworkID for each in record.endpoints.values()}
    for endpoint in sandbox.endpoints:
        if endpoint.network_id in known or endpoint.is_hidden:
            continue
        log.info("network.change_undone", container_id=container_id, network=endpoint.network_name)
        more = replace(
            record, endpoints={**record.endpoints, endpoint.network_name: endpoint.settings}
        )
        try:
            await unplug(env.networks, container_id, endpoint.network_id)
            await note_addresses(env, more, record)
        except SkepError as error:
            log.warning("network.change_stays", container_id=container_id, reason=error.message)
    sandbox = env.networks.store.sandbox(container_id)
    if sandbox is not None and sandbox.ports != record.ports:
        await env.store.put(replace(record, ports=sandbox.ports))
