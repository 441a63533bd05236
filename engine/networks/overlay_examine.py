"""What a node has of overlay networks in the kernel, compared with what it was told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AsyncExitStack

from engine.core import esp
from engine.core.balance import TABLE
from engine.core.difference_lines import difference_lines
from engine.core.discovery import service_entries
from engine.core.overlay import Change, difference
from engine.networks.env import NetworksEnv
from engine.networks.ingress_examine import examine_ingress, slot_lines
from engine.networks.overlay_encryption import encryption_change, is_encrypted, wanted_encryption
from engine.networks.overlay_guard import examine_guard
from engine.networks.overlay_sources import examine_sources
from engine.networks.overlay_space import known_overlay
from engine.networks.overlay_state import KnownOverlay
from engine.networks.record import NetworkRecord, SandboxRecord
from engine.networks.resolver import needs_resolver


async def examine(env: NetworksEnv) -> list[str]:
    """Return every difference, as a line each; [] where all is as it should be.

    Looked at are the networks' namespaces and tunnels, their forwarding and neighbours, the
    balanced addresses in sandboxes, the published ports, the names and who answers them in
    containers, and the encryption between nodes. A change under way is none of them: what is found
    is looked at once more, while nothing changes.
    Errors:  Internal.
    """
    found = await _differences(env)
    if not found:
        return []
    async with AsyncExitStack() as stack:
        for network_id in sorted(each.id for each in env.store.all() if each.overlay is not None):
            await stack.enter_async_context(env.overlay.state.lock(network_id))
        lasting = set(await _differences(env))
    return [each for each in found if each in lasting]


async def _differences(env: NetworksEnv) -> list[str]:
    found: list[str] = []
    spaces = await env.overlay.spaces.keys()
    networks = [each for each in env.store.all() if each.overlay is not None]
    for network in networks:
        found += await _space(env, network, has_space=network.id in spaces)
        found += _names(env, network, known_overlay(env, network))
        if network.overlay is not None and network.overlay.is_ingress:
            found += await examine_ingress(env, network)
    found += await examine_guard(env)
    strays = spaces - {each.id for each in networks}
    found += [f"namespace {each}: no network is known for it" for each in sorted(strays)]
    for box in env.store.all_sandboxes():
        found += await _balance(env, box)
        found += await _resolver(env, box)
    if any(map(is_encrypted, networks)):
        found += await _encryption(env)
    return found


async def _space(env: NetworksEnv, network: NetworkRecord, *, has_space: bool) -> list[str]:
    known = known_overlay(env, network)
    is_used = bool(env.store.sandboxes_on(network.id))
    if is_used and not has_space:
        return [f"network {network.name}: its namespace is missing"]
    if has_space and not is_used:
        return [f"network {network.name}: its namespace is there, and no container is on it"]
    if not has_space:
        return []
    assert network.overlay is not None
    vnis = await env.overlay.spaces.tunnels(network.id)
    wanted = {each.vni for each in network.overlay.tunnels}
    lines = difference_lines(wanted, vnis, "tunnel ")
    ports = await env.overlay.spaces.ports(network.id)
    lines += [
        f"the link of container {box.container_name} is missing"
        for box in env.store.sandboxes_on(network.id)
        for endpoint in box.endpoints
        if endpoint.network_id == network.id and endpoint.link not in ports
    ]
    present = await env.overlay.spaces.tables(network.id)
    if _is_untold(known):
        lines.append("the managers have told nothing of it since the daemon's start")
    else:
        lines += _change_lines(difference(present, known.peers.tables()))
    lines += await examine_sources(env, network, known)
    return [f"network {network.name}: {line}" for line in lines]


def _is_untold(known: KnownOverlay) -> bool:
    """Tell whether what is in the kernel stays as it was before the daemon's start."""
    return not (known.is_told or known.members or known.services)


def _change_lines(change: Change) -> Iterator[str]:
    for (vni, mac), node in change.forwarding.items():
        yield f"forwarding of {mac} on {vni} should lead to {node}"
    for vni, mac in change.lost_forwarding:
        yield f"forwarding of {mac} on {vni} is too much"
    for (vni, address), mac in change.neighbours.items():
        yield f"neighbour {address} on {vni} should be {mac}"
    for vni, address in change.lost_neighbours:
        yield f"neighbour {address} on {vni} is too much"


async def _encryption(env: NetworksEnv) -> list[str]:
    wanted = wanted_encryption(env)
    guarded = await env.overlay.encryption.guarded()
    lines = [f"tunnel {vni} is not guarded" for vni in sorted(wanted.vnis - guarded)]
    lines += [f"tunnel {vni} is guarded, and not ours" for vni in sorted(guarded - wanted.vnis)]
    if wanted.tunnels and wanted.keys is None:
        lines.append("no keys have been told")
    change = await encryption_change(env, wanted)
    lines += _state_lines(change) if wanted.keys is not None or not wanted.tunnels else []
    return [f"encryption: {line}" for line in lines]


def _state_lines(change: esp.Change) -> Iterator[str]:
    for source, target, spi in change.states:
        yield f"state {spi:#010x} from {source} to {target} is missing"
    for source, target, spi in change.lost_states:
        yield f"state {spi:#010x} from {source} to {target} is too much"
    for (source, target, port), spi in change.policies.items():
        yield f"packets from {source} to {target} port {port} should leave by state {spi:#010x}"
    for source, target, port in change.lost_policies:
        yield f"the policy from {source} to {target} port {port} is too much"


async def _balance(env: NetworksEnv, box: SandboxRecord) -> list[str]:
    networks = [env.store.find(each.network_id) for each in box.endpoints]
    overlays = [each for each in networks if each is not None and each.overlay is not None]
    if not overlays:
        return []
    known = [known_overlay(env, each) for each in overlays]
    if any(map(_is_untold, known)):
        return []
    wanted: dict[str, Mapping[str, int]] = {}
    for each in known:
        wanted |= each.balanced()
    path = env.links.namespace_path(box.container_id)
    present = await env.overlay.balancers.slots(path, TABLE)
    return [*slot_lines(f"container {box.container_name}", wanted, present)]


async def _resolver(env: NetworksEnv, box: SandboxRecord) -> list[str]:
    """Ask as a container does, where it has a resolver."""
    if box.is_left or not needs_resolver(box):
        return []
    path = env.links.namespace_path(box.container_id)
    ways = await env.name_servers.unanswered(path)
    return [f"container {box.container_name}: no names are answered over {way}" for way in ways]


def _names(env: NetworksEnv, network: NetworkRecord, known: KnownOverlay) -> Iterable[str]:
    for service_id, service in known.services.items():
        for owner, entry in service_entries(service_id, service, known.members).items():
            if not env.store.directory.has(f"{network.id}/{owner}", network.id, entry):
                yield f"network {network.name}: the names {', '.join(entry.names)} are not answered"
