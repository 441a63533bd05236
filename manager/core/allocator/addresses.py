"""Addresses on the cluster's networks: who has which, and which one is next.

An address that came free is given again as late as can be: it may still be in the tables of a node
that the managers have not reached.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_interface, ip_network

from api.addresses import AddressTaken
from api.cluster_errors import FailedPrecondition
from api.types.cluster_networks import ClusterIPAMConfig
from manager.core.objects.network import Network

Attachments = Mapping[str, Sequence[str]]
"""Addresses in CIDR form by network."""


class AddressesExhausted(FailedPrecondition):
    """Every address of a network is in use."""

    def __init__(self, network: str, version: int) -> None:
        super().__init__(f"no available IPv{version} addresses on the network {network}")


class NetworkGone(FailedPrecondition):
    """The network is not there."""

    def __init__(self, network_id: str) -> None:
        super().__init__(f"network {network_id} not found")


class Addresses:
    """All addresses of all networks, by owner: a task, a service, or a node."""

    def __init__(self, networks: Iterable[Network] = ()) -> None:
        self._networks: dict[str, tuple[str, list[_Pool]]] = {}
        self._owned: dict[str, Attachments] = {}
        for network in networks:
            self.add(network)

    def add(self, network: Network) -> None:
        """Give addresses of this network too; fine if that is so already."""
        if network.id in self._networks:
            return
        configs = network.ipam.Configs if network.ipam is not None else []
        pools = [_Pool(each) for each in configs if each.Subnet]
        self._networks[network.id] = network.spec.Name, pools

    def drop(self, network_id: str) -> None:
        """Give none of this network any more."""
        self._networks.pop(network_id, None)

    def give(self, owner: str, network_id: str, wanted: Iterable[str] = ()) -> list[str]:
        """Return an address of each family that the network has, in CIDR form; the owner has them.

        The same ones where the owner has some already; those wanted, which are bare, else.
        Errors:  AddressesExhausted, AddressTaken, NetworkGone.
        """
        owned = self._owned.get(owner, {})
        if network_id in owned:
            return list(owned[network_id])
        if network_id not in self._networks:
            raise NetworkGone(network_id)
        name, pools = self._networks[network_id]
        wishes = {each.version: each for each in map(ip_address, wanted)}
        found = [
            _claimed(pools, wishes[version])
            if version in wishes
            else _first_of(name, pools, version)
            for version in _versions(pools)
        ]
        self.take(owner, {**owned, network_id: found})
        return found

    def take(self, owner: str, attachments: Attachments) -> None:
        """Note what an owner has now; what it had before and has not now is free."""
        before = self._owned.pop(owner, {})
        if not before and not attachments:
            return
        if attachments:
            self._owned[owner] = {key: tuple(value) for key, value in attachments.items()}
        for network_id, addresses in attachments.items():
            for pool, number in self._places(network_id, addresses):
                pool.owners[number] = owner
        for network_id, addresses in before.items():
            kept = set(attachments.get(network_id, ()))
            for pool, number in self._places(network_id, set(addresses) - kept):
                if pool.owners.get(number) == owner:
                    del pool.owners[number]

    def release(self, owner: str) -> None:
        """Note that an owner is gone; fine if it has nothing."""
        self.take(owner, {})

    def _places(self, network_id: str, addresses: Iterable[str]) -> Iterable[tuple[_Pool, int]]:
        _, pools = self._networks.get(network_id, ("", []))
        for address in addresses:
            parsed = ip_interface(address).ip
            for pool in pools:
                if parsed in pool.network:
                    yield pool, int(parsed)


class _Pool:
    """The addresses of one subnet, given in turn."""

    def __init__(self, config: ClusterIPAMConfig) -> None:
        self.network = ip_network(config.Subnet)
        pick = ip_network(config.Range, strict=False) if config.Range else self.network
        first, last = int(self.network.network_address), int(self.network.broadcast_address)
        if self.network.num_addresses > 2:
            first += 1
            last -= self.network.version == 4
        self._first = max(first, int(pick.network_address))
        self._last = min(last, int(pick.broadcast_address))
        self._next = self._first
        self._gateway = int(ip_address(config.Gateway)) if config.Gateway else -1
        self.owners: dict[int, str] = {}

    def is_free(self, number: int) -> bool:
        """Tell whether an address of the subnet, in or out of the range, has no owner."""
        return number not in self.owners and number != self._gateway

    def give(self) -> str | None:
        """Return the next free address in CIDR form, None when there is none."""
        span = self._last - self._first + 1
        if len(self.owners) >= span:
            return None
        number = self._next
        for _ in range(min(span, len(self.owners) + 2)):
            if number > self._last:
                number = self._first
            if number not in self.owners and number != self._gateway:
                self._next = number + 1
                first = int(self.network.network_address)
                address = self.network.network_address + (number - first)
                return f"{address}/{self.network.prefixlen}"
            number += 1
        return None


def _claimed(pools: Iterable[_Pool], wish: IPv4Address | IPv6Address) -> str:
    """Return an address that was asked for, in CIDR form. Errors: AddressTaken."""
    for pool in pools:
        if wish in pool.network and pool.is_free(int(wish)):
            return f"{wish}/{pool.network.prefixlen}"
    raise AddressTaken


def _versions(pools: Iterable[_Pool]) -> list[int]:
    return sorted({pool.network.version for pool in pools})


def _first_of(name: str, pools: Iterable[_Pool], version: int) -> str:
    for pool in pools:
        found = pool.give() if pool.network.version == version else None
        if found is not None:
            return found
    raise AddressesExhausted(name, version)
