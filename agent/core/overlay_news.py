"""What managers tell of overlay networks: who is on them and where, and behind which services."""

from __future__ import annotations

from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from api.types.cluster_networks import ClusterNetwork, PortConfig


class Member(Struct, frozen=True, kw_only=True):
    """An endpoint, with bare addresses; `node_address` is where its node's tunnels are."""

    id: str
    names: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    node_id: str
    node_address: str


class ServiceEndpoint(Struct, frozen=True, kw_only=True):
    """A service: names, virtual addresses, members that may work with their weights, ports.

    One that is `local_only` is answered for by nodes with tasks of its own alone. At `health_port`
    each node tells how many it has, 0 for nowhere.
    """

    id: str
    names: tuple[str, ...]
    addresses: tuple[str, ...] = ()
    targets: tuple[tuple[str, int], ...] = ()
    ports: tuple[PortConfig, ...] = ()
    local_only: bool = False
    health_port: int = 0


class TargetsChange(Struct, frozen=True, kw_only=True):
    """Members that are targets of a service from now on, with their weights; and that are none."""

    service_id: str
    targets: tuple[tuple[str, int], ...] = ()
    removed: tuple[str, ...] = ()


T = TypeVar("T", bound=Member | ServiceEndpoint)


class NetworkNews(Struct, frozen=True, kw_only=True):
    """What is new on one network: all of it where `network` is told, none where it is gone.

    Changes of targets come after the services, and are of those that stay otherwise as they were.
    """

    network_id: str
    is_gone: bool = False
    network: ClusterNetwork | None = None
    members: tuple[Member, ...] = ()
    removed_members: tuple[str, ...] = ()
    services: tuple[ServiceEndpoint, ...] = ()
    removed_services: tuple[str, ...] = ()
    targets: tuple[TargetsChange, ...] = ()


class OverlayKey(Struct, frozen=True):
    """A key of encrypted networks; later clocks are newer."""

    clock: int
    secret: bytes

    def __repr__(self) -> str:
        return f"OverlayKey(clock={self.clock})"


class OverlayNews(Struct, frozen=True, kw_only=True):
    """What is new, by network; where it `is_complete` the node has no other networks.

    `keys` are all keys from now on, None where they stay; `sequence` is its number, by which the
    node confirms it.
    """

    is_complete: bool = False
    networks: tuple[NetworkNews, ...] = ()
    keys: tuple[OverlayKey, ...] | None = None
    sequence: int = 0


def together(first: OverlayNews, then: OverlayNews) -> OverlayNews:
    """Return what both say, the later one last: as much as changed, however often it did."""
    if then.is_complete:
        return then
    networks = {each.network_id: each for each in first.networks}
    for news in then.networks:
        before = networks.get(news.network_id)
        networks[news.network_id] = news if before is None else _of_one(before, news)
    keys = first.keys if then.keys is None else then.keys
    return replace(first, networks=tuple(networks.values()), keys=keys, sequence=then.sequence)


def _of_one(first: NetworkNews, then: NetworkNews) -> NetworkNews:
    if then.is_gone or then.network is not None:
        return then
    members, removed_members = _folded(
        (first.members, first.removed_members), (then.members, then.removed_members)
    )
    services, removed_services = _folded(
        (first.services, first.removed_services), (then.services, then.removed_services)
    )
    return replace(
        first,
        members=members,
        removed_members=removed_members,
        services=services,
        removed_services=removed_services,
        targets=_folded_targets(first, then),
    )


def _folded_targets(first: NetworkNews, then: NetworkNews) -> tuple[TargetsChange, ...]:
    """Return who became a target, and who none, by both; a service told whole says all itself."""
    whole = {each.id for each in then.services}.union(then.removed_services)
    folded = {each.service_id: each for each in first.targets if each.service_id not in whole}
    for each in then.targets:
        before = folded.get(each.service_id, TargetsChange(service_id=each.service_id))
        fresh, gone = dict(each.targets), set(each.removed)
        staying = {key: weight for key, weight in before.targets if key not in gone}
        removed = dict.fromkeys((*before.removed, *each.removed))
        folded[each.service_id] = replace(
            each,
            targets=tuple({**staying, **fresh}.items()),
            removed=tuple(key for key in removed if key not in fresh),
        )
    return tuple(folded.values())


def _folded(
    first: tuple[tuple[T, ...], tuple[str, ...]], then: tuple[tuple[T, ...], tuple[str, ...]]
) -> tuple[tuple[T, ...], tuple[str, ...]]:
    """Return who is new, and who is gone, by two such changes."""
    later = {each.id for each in then[0]}.union(then[1])
    fresh: list[T] = [*(each for each in first[0] if each.id not in later), *then[0]]
    gone = dict.fromkeys((*first[1], *then[1]))
    back = {each.id for each in then[0]}
    return tuple(fresh), tuple(each for each in gone if each not in back)


class Place(Struct, frozen=True):
    """A container's place on a network: its addresses there in CIDR form."""

    network: ClusterNetwork
    addresses: tuple[str, ...]
