"""Connect a running container to one more network."""

from __future__ import annotations

from contextlib import AsyncExitStack
from itertools import count

from api.errors import Conflict, Forbidden
from api.types.networks import EndpointSettings
from engine.networks.attach import places
from engine.networks.endpoint import Guest, link_order, make_endpoint, release_endpoint
from engine.networks.env import NetworksEnv
from engine.networks.open_sandbox import sandbox_of, without_state
from engine.networks.overlap import check_apart
from engine.networks.overlay_balance import balance_sandbox
from engine.networks.overlay_space import close_unused_spaces, open_space
from engine.networks.publish import release_ports
from engine.networks.record import NetworkRecord, SandboxRecord
from engine.networks.reshape import enforce, reshaped
from engine.networks.resolver import needs_resolver, open_resolver
from engine.networks.sandbox import Sandbox
from engine.networks.tell import tell


class EndpointExists(Forbidden):
    """The container is on the network."""

    def __init__(self, container: str, network: str) -> None:
        super().__init__(f"endpoint with name {container} already exists in network {network}")


class NoSandbox(Conflict):
    """The container has no network of its own at the moment."""

    def __init__(self, container_id: str) -> None:
        super().__init__(f"container {container_id} has no network sandbox: it is not running")


async def connect(
    env: NetworksEnv, container_id: str, ref: str, asked: EndpointSettings
) -> Sandbox:
    """Plug a running container into a network; return its sandbox as it is then.

    All or nothing, as `open_sandbox`. Its names are found, and it finds names, at once.
    Errors:  NoSuchNetwork, NoSandbox, EndpointExists, those of `make_endpoint`, PublishingFailed,
             Internal.
    """
    present = sandbox_or_refuse(env, container_id)
    name = present.container_name
    # Before another place is asked for: it would take that of the endpoint that is there.
    _refuse_second(present, env.store.find(ref))
    async with (
        places(env, container_id, name, {ref: asked}) as placed,
        env.store.lock(container_id),
        AsyncExitStack() as undo,
    ):
        ((ref, asked),) = placed.items()
        network = env.store.get(ref)
        before = sandbox_or_refuse(env, container_id)
        _refuse_second(before, network)
        check_apart([*(env.store.get(each.network_id) for each in before.endpoints), network])
        guest = Guest(container_id, before.container_name, before.hostname)
        name = _free_name(before, network)
        endpoint = await make_endpoint(env, network, guest, name, without_state(asked))
        undo.callback(release_endpoint, env, endpoint)
        after = reshaped(env, before, [*before.endpoints, endpoint])
        fresh = [each for each in after.publications if not before.publications]
        undo.callback(release_ports, env, fresh)
        # In memory first, so that the network is in use before the first wait.
        env.store.hold(after)
        undo.callback(env.store.hold, before)
        undo.push_async_callback(env.store.save, before)
        await env.store.save(after)
        undo.push_async_callback(close_unused_spaces, env, [endpoint])
        await open_space(env, network)
        order = link_order(env, network, endpoint, {})
        undo.push_async_callback(env.links.unplug, container_id, order)
        await env.links.attach(container_id, order)
        undo.push_async_callback(enforce, env, after, before)
        await enforce(env, before, after)
        await balance_sandbox(env, after)
        if not needs_resolver(before):
            await open_resolver(env, after)
        undo.pop_all()
    tell(env, "connect", endpoint, container_id)
    return sandbox_of(env, after)


def _refuse_second(record: SandboxRecord, network: NetworkRecord | None) -> None:
    if network is not None and any(each.network_id == network.id for each in record.endpoints):
        raise EndpointExists(record.container_name, network.name)


def sandbox_or_refuse(env: NetworksEnv, container_id: str) -> SandboxRecord:
    """Return the sandbox of a container. Errors: NoSandbox."""
    record = env.store.sandbox(container_id)
    if record is None:
        raise NoSandbox(container_id)
    return record


def _free_name(record: SandboxRecord, network: NetworkRecord) -> str:
    taken = {each.name for each in record.endpoints}
    return next(name for number in count() if (name := f"{network.prefix}{number}") not in taken)
