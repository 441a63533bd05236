"""Open a container's network sandbox."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import msgspec

from api.error_groups import single
from api.errors import SkepError
from engine.core.bindings import Wanted, wanted_ports
from engine.core.firewall import Publication
from engine.networks.attach import places
from engine.networks.close_sandbox import close_sandbox
from engine.networks.endpoint import Guest, link_order, make_endpoint, release_endpoint
from engine.networks.env import NetworksEnv
from engine.networks.gateway import Gateways, gateways, publishing
from engine.networks.outside import needs_outside, outside_endpoint, outside_network
from engine.networks.overlap import check_apart
from engine.networks.overlay_balance import balance_sandbox, stop_balancing
from engine.networks.overlay_space import close_unused_spaces, open_space
from engine.networks.publish import PublishingFailed, ports_shown, release_ports, reserve_ports
from engine.networks.record import EndpointRecord, NetworkRecord, SandboxRecord
from engine.networks.resolver import open_resolver
from engine.networks.sandbox import Sandbox, SandboxRequest
from engine.networks.tell import tell
from engine.ports.network import UserNamespace


async def open_sandbox(env: NetworksEnv, request: SandboxRequest) -> Sandbox:
    """Give a container a network namespace with its endpoints, publish its ports, and answer it.

    All or nothing: when it raises, cancelled included, nothing is left.
    Errors:  NoSuchNetwork, InvalidArgument, PublishingFailed, Internal, as the parts have them.
    """
    wanted = wanted_ports(request.port_bindings, request.exposed, publish_all=request.publish_all)
    container_id, name = request.container_id, request.container_name
    async with places(env, container_id, name, request.endpoints) as asked:
        return await _open(env, replace(request, endpoints=asked), wanted)


async def _open(env: NetworksEnv, request: SandboxRequest, wanted: list[Wanted]) -> Sandbox:
    networks = [env.store.get(ref) for ref in request.endpoints]
    if env.store.sandbox(request.container_id) is not None:
        await close_sandbox(env, request.container_id)
    async with env.store.lock(request.container_id), AsyncExitStack() as undo:
        if needs_outside(networks):
            networks.append(await outside_network(env))
        check_apart(networks)
        endpoints = await _endpoints(env, request, networks, undo)
        chosen = gateways(list(zip(networks, endpoints, strict=True)))
        publications = publish_at(env, request.container_name, wanted, chosen)
        undo.callback(release_ports, env, publications)
        record = SandboxRecord(
            container_id=request.container_id,
            container_name=request.container_name,
            hostname=request.hostname,
            endpoints=endpoints,
            publications=publications,
            ports=ports_shown(request.exposed, publications) if endpoints else {},
            wanted=wanted,
            exposed=sorted(request.exposed),
            nameservers=list(request.nameservers),
        )
        # Runs when the sandbox is let go.
        undo.push_async_callback(close_unused_spaces, env, endpoints)
        env.store.hold(record)
        undo.callback(env.store.let_go, request.container_id)
        for network in networks:
            await open_space(env, network)
        await _make(env, networks, record, request.owner, undo)
        undo.callback(stop_balancing, env, request.container_id)
        await balance_sandbox(env, record)
        await open_resolver(env, record)
        undo.pop_all()
    for endpoint in record.endpoints:
        tell(env, "connect", endpoint, record.container_id)
    return sandbox_of(env, record)


def sandbox_of(env: NetworksEnv, record: SandboxRecord) -> Sandbox:
    """Return what a container's own record keeps of its sandbox."""
    return Sandbox(
        netns_path=env.links.namespace_path(record.container_id),
        endpoints={
            each.network_name: each.settings for each in record.endpoints if not each.is_hidden
        },
        ports=record.ports,
        userns_path=env.links.user_namespace_path(record.container_id),
    )


def publish_at(
    env: NetworksEnv, container_name: str, wanted: list[Wanted], chosen: Gateways
) -> list[Publication]:
    """Hold host ports for what is wanted; none where no network can publish.

    Errors:  PublishingFailed.
    """
    place = publishing(chosen)
    endpoint_id = place.settings.EndpointID
    if not wanted or not endpoint_id:
        return []
    default_ip = place.host_ip or env.settings.current.default_host_ip
    try:
        return reserve_ports(env, wanted, place, default_ip)
    except SkepError as error:
        raise PublishingFailed(container_name, endpoint_id, error.message) from error


async def _endpoints(
    env: NetworksEnv,
    request: SandboxRequest,
    networks: list[NetworkRecord],
    undo: AsyncExitStack,
) -> list[EndpointRecord]:
    endpoints: list[EndpointRecord] = []
    guest = Guest(request.container_id, request.container_name, request.hostname)
    asked = [*request.endpoints.values()]
    for network in networks:
        name = f"{network.prefix}{len(endpoints)}"
        if len(endpoints) < len(asked):
            wishes = without_state(asked[len(endpoints)])
            endpoint = await make_endpoint(env, network, guest, name, wishes)
        else:
            endpoint = await outside_endpoint(env, network, guest, name)
        undo.callback(release_endpoint, env, endpoint)
        endpoints.append(endpoint)
    return endpoints


def without_state(asked: msgspec.Struct) -> Any:
    """Return the endpoint settings that a user asks for, without those that the engine gives."""
    return msgspec.structs.replace(
        asked, Gateway="", IPAddress="", IPPrefixLen=0, IPv6Gateway="",
        GlobalIPv6Address="", GlobalIPv6PrefixLen=0,
    )  # fmt: skip


async def _make(
    env: NetworksEnv,
    networks: list[NetworkRecord],
    record: SandboxRecord,
    owner: UserNamespace | None,
    undo: AsyncExitStack,
) -> None:
    """Write the record, set up the kernel, publish: at once, for none needs another's result.

    A crash in the middle leaves a namespace, links or table elements that `restore` removes.
    """
    container_id = record.container_id
    pairs = list(zip(networks, record.endpoints, strict=True))
    chosen = gateways(pairs)
    links = [link_order(env, network, endpoint, chosen) for network, endpoint in pairs]
    names = [each.link for each in record.endpoints if each.link]
    undo.push_async_callback(env.store.forget, container_id)
    undo.push_async_callback(env.links.close_namespace, container_id, names)
    undo.push_async_callback(env.firewall.withdraw, record.publications)
    await _together(
        env.store.save(record),
        env.links.open_namespace(container_id, links, owner),
        env.firewall.publish(record.publications),
    )


async def _together(*steps: Coroutine[Any, Any, None]) -> None:
    """Run steps at once; raise the first error that is not a consequence, when all have ended."""
    try:
        async with asyncio.TaskGroup() as group:
            for step in steps:
                group.create_task(step)
    except BaseExceptionGroup as failures:
        raise single(failures) from failures
