"""What is told of a network's endpoints and services, and the names that follow from it."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from api.addresses import version_of
from engine.core.dns import Entry
from engine.core.overlay import Peer

TASKS_PREFIX = "tasks."


class Member(Struct, frozen=True, kw_only=True):
    """An endpoint of the network: names of its own, bare addresses, MAC, and where it is.

    `node` is the address of its node's tunnels, "" for an endpoint of this node.
    """

    names: tuple[str, ...] = ()
    addresses: tuple[str, ...]
    mac: str
    node: str = ""


class OverlayService(Struct, frozen=True, kw_only=True):
    """A service on the network: its names, the first its own, its virtual addresses, its members.

    `targets` are the members that may be given something to do, with their weights. Without a
    virtual address the names stand for the targets, in turn.
    """

    names: tuple[str, ...]
    addresses: tuple[str, ...] = ()
    targets: Mapping[str, int] = {}


class TargetsChange(Struct, frozen=True, kw_only=True):
    """Members that are targets of a service from now on, with their weights; and that are none."""

    targets: Mapping[str, int] = {}
    removed: tuple[str, ...] = ()

    def applied(self, before: Mapping[str, int]) -> dict[str, int]:
        """Return the targets as they are after the change."""
        after = {**before, **self.targets}
        for member_id in self.removed:
            after.pop(member_id, None)
        return after


def peer_of(member: Member | None) -> Peer | None:
    """Return the member as tunnels see it; None for one of this node."""
    if member is None or not member.node:
        return None
    return Peer(member.addresses, member.mac, member.node)


def service_owner(service_id: str, member_id: str = "") -> str:
    """Return whose the names are by which a service is found, or one of its targets."""
    return f"service/{service_id}/{member_id}" if member_id else f"service/{service_id}"


def service_entries(
    service_id: str, service: OverlayService | None, members: Mapping[str, Member]
) -> dict[str, Entry]:
    """Return who answers to a service's names, by an owner's name of theirs."""
    if service is None:
        return {}
    owner = service_owner(service_id)
    found = {}
    if service.addresses:
        found[owner] = entry_of(service.names, service.addresses)
    together = tuple(f"{TASKS_PREFIX}{name}" for name in service.names)
    names = together if service.addresses else (*together, *service.names)
    for member_id, weight in service.targets.items():
        member = members.get(member_id)
        if member is not None and weight > 0:
            found[service_owner(service_id, member_id)] = entry_of(
                names, member.addresses, is_main=False
            )
    return found


def balanced(service: OverlayService, members: Mapping[str, Member]) -> dict[str, dict[str, int]]:
    """Return the targets' addresses and weights by virtual address, of the same family each."""
    return {
        address: {
            own: weight
            for member_id, weight in service.targets.items()
            if (own := _of_family(members.get(member_id), version_of(address)))
        }
        for address in service.addresses
    }


def entry_of(names: tuple[str, ...], addresses: tuple[str, ...], *, is_main: bool = True) -> Entry:
    """Return the first address of each family under these names."""
    by_family = {version_of(each): each for each in reversed(addresses)}
    return Entry(names, by_family.get(4, ""), by_family.get(6, ""), is_main=is_main)


def _of_family(member: Member | None, version: int) -> str:
    addresses = member.addresses if member is not None else ()
    return next((each for each in addresses if version_of(each) == version), "")
