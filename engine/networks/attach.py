"""Places on overlay networks for containers that come without one from the managers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from ipaddress import ip_address

from msgspec import UNSET
from msgspec.structs import replace

from api.errors import AmbiguousPrefix, InvalidArgument, NoSuchNetwork
from api.ids import short_id
from api.types.networks import EndpointIPAMConfig, EndpointSettings
from engine.networks.env import NetworksEnv
from engine.networks.record import EndpointRecord, NetworkRecord
from engine.ports.attachments import Granted


@asynccontextmanager
async def places(
    env: NetworksEnv, container_id: str, name: str, asked: Mapping[str, EndpointSettings]
) -> AsyncIterator[dict[str, EndpointSettings]]:
    """Lend the endpoints with addresses where they are on overlay networks, by network.

    What no cluster knows either stays as it was. Hold the sandbox before the end: what was given
    counts as taken until then, and where the body fails it is given up.
    Errors:  those of `Attachments.attach`.
    """
    state = env.overlay.state
    if container_id in state.placed or not any(_needs_place(env, each) for each in asked):
        yield dict(asked)
        return
    given: set[tuple[str, str]] = set()
    try:
        found: dict[str, EndpointSettings] = {}
        for ref, settings in asked.items():
            granted = await _place(env, container_id, name, ref, settings)
            if granted is None:
                found[ref] = settings
                continue
            given.add((container_id, granted.network_id))
            state.granted |= given
            found[granted.network_id] = replace(settings, IPAMConfig=_wishes(granted))
        yield found
    except BaseException:
        state.attachments.detached()
        raise
    finally:
        state.granted -= given


async def know_network(env: NetworksEnv, container_id: str, name: str, ref: str) -> None:
    """Have the engine know a network of the cluster that a container is to be on; fine if none.

    Errors:  those of `Attachments.attach`.
    """
    if _known(env, ref) is None:
        async with places(env, container_id, name, {ref: EndpointSettings()}):
            pass
        # A container that does not run needs its place with its next start only.
        env.overlay.state.attachments.detached()


async def _place(
    env: NetworksEnv, container_id: str, name: str, ref: str, settings: EndpointSettings
) -> Granted | None:
    if not _needs_place(env, ref):
        return None
    network = _known(env, ref)
    names = [name, *(settings.Aliases or []), short_id(container_id)]
    addresses = _asked_addresses(settings)
    # One that is known may have been made anew under its name, which this node has not heard yet.
    for wanted in dict.fromkeys([network.id if network is not None else ref, ref]):
        granted = await env.overlay.state.attachments.attach(container_id, wanted, names, addresses)
        if granted is not None:
            return granted
    return None


def _asked_addresses(settings: EndpointSettings) -> list[str]:
    """Return the addresses that a user asks for, in their short form. Errors: InvalidArgument."""
    wishes = settings.IPAMConfig or EndpointIPAMConfig()
    asked = []
    for version, wish in ((4, wishes.IPv4Address), (6, wishes.IPv6Address)):
        if not wish:
            continue
        try:
            address = ip_address(wish)
        except ValueError as error:
            raise InvalidArgument(f"invalid IPv{version} address: {wish}") from error
        if address.version != version:
            raise InvalidArgument(f"invalid IPv{version} address: {wish}")
        asked.append(str(address))
    return asked


def give_up_places(
    env: NetworksEnv, container_id: str, endpoints: Iterable[EndpointRecord]
) -> None:
    """Tell that a container left these networks, where others gave it a place there."""
    networks = [env.store.find(each.network_id) for each in endpoints]
    is_placed = container_id in env.overlay.state.placed
    if not is_placed and any(each is not None and each.overlay is not None for each in networks):
        env.overlay.state.attachments.detached()


def _needs_place(env: NetworksEnv, ref: str) -> bool:
    network = _known(env, ref)
    return network is None or network.overlay is not None


def _known(env: NetworksEnv, ref: str) -> NetworkRecord | None:
    try:
        return env.store.get(ref)
    except (NoSuchNetwork, AmbiguousPrefix):
        return None


def _wishes(granted: Granted) -> EndpointIPAMConfig:
    return EndpointIPAMConfig(
        IPv4Address=next((each for each in granted.addresses if ":" not in each), UNSET),
        IPv6Address=next((each for each in granted.addresses if ":" in each), UNSET),
    )
