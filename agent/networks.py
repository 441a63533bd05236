"""Networks as this node's clients see them: its own, and on a manager the cluster's beside them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from agent.core.standing import Standing, has_control, refusal
from agent.ports.manager_api import ManagerApi, Outgoing, fetch
from api.errors import Forbidden, NoSuchNetwork, SkepError
from api.filters import Filters
from api.node_networks import NODE_NETWORKS
from api.types.networks import (
    Network,
    NetworkCreateRequest,
    NetworkCreateResponse,
    NetworkPruneResponse,
)
from api.versions import CURRENT, spell
from engine.core.network_filters import has_label, matches
from engine.networks.create import NetworkExists, create
from engine.networks.env import NetworksEnv
from engine.networks.inspect import inspect
from engine.networks.list import list_networks
from engine.networks.prune import prune
from engine.networks.record import NetworkRecord
from engine.networks.remove import remove

T = TypeVar("T")

_NETWORKS = list[Network]
_OVERLAY = "overlay"
_LOCAL = "local"
_OK = 300
# A network of the node must not wait for managers that are without a leader.
_NAME_CHECK_S = 1.0


class ManagerRefused(SkepError):
    """The local manager said no; status and words are its own."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.http = status  # type: ignore[misc]  # each refusal has its own


class ScopeDowngrade(Forbidden):
    """An overlay network is the cluster's, or none."""

    def __init__(self) -> None:
        super().__init__("cannot downgrade network scope for overlay networks")


@dataclass(frozen=True, slots=True)
class NodeNetworks:
    """The engine's networks, and the way to the local manager's."""

    engine: NetworksEnv
    standing: Callable[[], Standing]
    manager: ManagerApi


async def list_all(env: NodeNetworks, wanted: Filters) -> list[Network]:
    """Return the node's and the cluster's networks that pass the filters. Errors: InvalidFilter."""
    own = await list_networks(env.engine, wanted)
    if not has_control(env.standing()):
        return own
    cluster = await _ask(env, "GET", "/networks", kind=_NETWORKS)
    kinds = set(wanted.get("type", ()))
    is_dangling = wanted.flag("dangling")
    shown = [
        each
        for each in cluster
        if matches(each, wanted)
        and (not kinds or "custom" in kinds)
        and (is_dangling is None or is_dangling == (not env.engine.store.sandboxes_on(each.Id)))
    ]
    return [*(each for each in own if each.Scope != "swarm"), *shown]


async def inspect_any(env: NodeNetworks, ref: str, *, scope: str, is_verbose: bool) -> Network:
    """Return a network; one of the cluster with the containers that this node has on it.

    The networks that every node has count for the swarm too: services can be on them.
    Errors:  NoSuchNetwork, AmbiguousPrefix, AmbiguousRef.
    """
    own = _own(env, ref)
    if own is not None and (scope != "swarm" or own.name in NODE_NETWORKS):
        return await inspect(env.engine, own.id)
    if not has_control(env.standing()):
        return await inspect(env.engine, ref)
    path = f"/networks/{quote(ref, safe='')}?verbose={str(is_verbose).lower()}"
    try:
        shown: Network = await _ask(env, "GET", path, kind=Network)
    except ManagerRefused as error:
        if error.http != NoSuchNetwork.http:
            raise
        raise NoSuchNetwork(ref) from error
    here = env.engine.store.find(shown.Id)
    containers = (await inspect(env.engine, here.id)).Containers if here else {}
    return replace(shown, Containers={} if containers is UNSET else containers)


async def create_any(env: NodeNetworks, wanted: NetworkCreateRequest) -> NetworkCreateResponse:
    """Make a network of this node, or of the cluster if it is an overlay.

    Errors:  those of the engine's and of the manager's; why this node cannot ask a manager;
             ScopeDowngrade, NetworkExists where one of the other kind has the name.
    """
    if wanted.ConfigOnly or (wanted.Driver != _OVERLAY and wanted.Scope != "swarm"):
        if await _has_cluster_name(env, wanted.Name):
            raise NetworkExists(wanted.Name)
        return await create(env.engine, wanted)
    if wanted.Scope == _LOCAL:
        raise ScopeDowngrade
    _check_control(env)
    if any(each.name == wanted.Name for each in env.engine.store.all() if each.overlay is None):
        raise NetworkExists(wanted.Name)
    made: NetworkCreateResponse = await _ask(
        env, "POST", "/networks/create", wanted, kind=NetworkCreateResponse
    )
    return made


async def remove_any(env: NodeNetworks, ref: str) -> None:
    """Remove a network of this node or of the cluster. Errors: as `create_any`."""
    own = _own(env, ref)
    if own is not None:
        await remove(env.engine, own.id)
        return
    if not has_control(env.standing()):
        if (record := env.engine.store.find(ref)) is None or record.overlay is None:
            raise NoSuchNetwork(ref)
        _check_control(env)
    await _ask(env, "DELETE", f"/networks/{quote(ref, safe='')}")


async def prune_all(env: NodeNetworks, wanted: Filters, in_use: set[str]) -> NetworkPruneResponse:
    """Remove the networks that nothing uses, of this node and of the cluster.

    Errors:  InvalidFilter, InvalidArgument (until), Internal.
    """
    removed = (await prune(env.engine, wanted, in_use)).NetworksDeleted or []
    if has_control(env.standing()) and not wanted.get("until", ()):
        for network in await _ask(env, "GET", "/networks", kind=_NETWORKS):
            if network.Ingress or not _is_wanted(network, wanted):
                continue
            try:
                await _ask(env, "DELETE", f"/networks/{network.Id}")
            except ManagerRefused:
                continue
            removed = [*removed, network.Name]
    return NetworkPruneResponse(removed or None)


async def _has_cluster_name(env: NodeNetworks, name: str) -> bool:
    """Tell whether a network of the cluster has a name, as far as this node can know."""
    if any(each.name == name for each in env.engine.store.all() if each.overlay is not None):
        return True
    if not name or not has_control(env.standing()):
        return False
    try:
        async with asyncio.timeout(_NAME_CHECK_S):
            found: Network = await _ask(
                env, "GET", f"/networks/{quote(name, safe='')}", kind=Network
            )
    except (SkepError, TimeoutError):
        return False
    return found.Name == name


def _is_wanted(network: Network, wanted: Filters) -> bool:
    return all(has_label(network.Labels, each) for each in wanted.get("label", ())) and not any(
        has_label(network.Labels, each) for each in wanted.get("label!", ())
    )


def _own(env: NodeNetworks, ref: str) -> NetworkRecord | None:
    """Return a network of this node alone; the cluster's are the manager's to show."""
    try:
        record = env.engine.store.get(ref)
    except NoSuchNetwork:
        return None
    return record if record.overlay is None else None


def _check_control(env: NodeNetworks) -> None:
    refused = refusal(env.standing())
    if refused is not None:
        raise refused


async def _ask(
    env: NodeNetworks,
    method: str,
    path: str,
    content: msgspec.Struct | None = None,
    *,
    kind: Any = None,
) -> Any:
    body = msgspec.json.encode(content) if content is not None else b""
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    target = f"/v{spell(CURRENT)}{path}".encode()
    reply = await fetch(
        env.manager, Outgoing(method.encode(), target, headers if body else (), body)
    )
    if reply.status >= _OK:
        raise ManagerRefused(reply.status, _words(reply.body))
    return msgspec.json.decode(reply.body, type=kind) if kind is not None else None


def _words(body: bytes) -> str:
    try:
        return str(msgspec.json.decode(body)["message"])
    except (msgspec.MsgspecError, KeyError, TypeError):
        return body.decode(errors="replace")
