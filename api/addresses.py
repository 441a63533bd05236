"""Addresses: which subnet a network gets, and which address an endpoint gets in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from api.errors import Forbidden, Internal, InvalidArgument


class AddressTaken(Forbidden):
    """The address that was asked for has an owner."""

    def __init__(self) -> None:
        super().__init__("Address already in use")


class AddressOutside(InvalidArgument):
    """The address that was asked for is not in the subnet."""

    def __init__(self, address: str, subnet: str) -> None:
        super().__init__(f"invalid address {address}: it does not belong to the subnet {subnet}")


class SubnetFull(Internal):
    """Every address has an owner."""

    def __init__(self, version: int) -> None:
        super().__init__(f"no available IPv{version} addresses on this network's address pools")


class PoolsExhausted(Internal):
    """Every configured pool is in use by a network or by the host."""

    def __init__(self) -> None:
        super().__init__("all predefined address pools have been fully subnetted")


class Subnet:
    """The addresses of one subnet: who has which is not kept, only that it is taken.

    The network's own address, the broadcast address (IPv4) and what is `reserved` (the gateway)
    are never given out. `ip_range` narrows what `allocate` picks from, not what `claim` allows.
    """

    def __init__(self, subnet: str, ip_range: str = "", reserved: Iterable[str] = ()) -> None:
        self.network = ip_network(subnet)
        pick = ip_network(ip_range) if ip_range else self.network
        first = int(self.network.network_address)
        last = int(self.network.broadcast_address)
        if self.network.version == 4 and self.network.num_addresses > 2:
            last -= 1
        if self.network.num_addresses > 2:
            first += 1
        self._bounds = first, last
        self._first = max(first, int(pick.network_address))
        self._last = min(last, int(pick.broadcast_address))
        self._taken: set[int] = {int(ip_address(each)) for each in reserved}
        self._reserved = frozenset(self._taken)
        self._next = self._first

    @property
    def version(self) -> int:
        """4 or 6."""
        return self.network.version

    def allocate(self) -> str:
        """Return the lowest free address, taken now. Errors: SubnetFull."""
        candidate = self._next
        while candidate in self._taken:
            candidate += 1
        if candidate > self._last:
            raise SubnetFull(self.version)
        self._taken.add(candidate)
        self._next = candidate + 1
        return self._text(candidate)

    def claim(self, address: str) -> str:
        """Take this address. Errors: AddressTaken, AddressOutside, InvalidArgument (malformed)."""
        number = _parse(address, self.version)
        first, last = self._bounds
        if not first <= number <= last:
            raise AddressOutside(address, str(self.network))
        if number in self._taken:
            raise AddressTaken
        self._taken.add(number)
        return self._text(number)

    def release(self, address: str) -> None:
        """Give an address back; fine if it is free. Reserved ones stay reserved."""
        number = int(ip_address(address))
        if number in self._reserved:
            return
        self._taken.discard(number)
        if self._first <= number < self._next:
            self._next = number

    def may_hold(self, address: str) -> bool:
        """Tell whether an endpoint can have the address. Errors: InvalidArgument (malformed)."""
        first, last = self._bounds
        return first <= _parse(address, self.version) <= last

    def holds(self, address: str) -> bool:
        """Tell whether the address belongs to the subnet."""
        return ip_address(address) in self.network

    def _text(self, number: int) -> str:
        return str(self.network.network_address + (number - int(self.network.network_address)))


def first_address(subnet: str) -> str:
    """Return the first usable address, which a gateway gets by default."""
    network = ip_network(subnet)
    return str(network[1] if network.num_addresses > 2 else network[0])


def version_of(address: str) -> int:
    """Return the IP version of what is known to be an address; what follows it is no matter.

    Parsing would cost more than all else where there are thousands of them.
    """
    return 6 if ":" in address else 4


def overlaps(subnet: str, others: Iterable[str]) -> bool:
    """Tell whether a subnet shares an address with one of the others."""
    mine = ip_network(subnet, strict=False)
    for other in others:
        theirs = ip_network(other, strict=False)
        if mine.version == theirs.version and mine.overlaps(theirs):
            return True
    return False


def free_subnet(pools: Iterable[tuple[str, int]], used: Iterable[str], after: str = "") -> str:
    """Return the first subnet of the pools (base, prefix length) that overlaps nothing used.

    after:   the subnet of a pool behind which is looked first; before it only when there is none.
    Errors:  PoolsExhausted.
    """
    taken = [ip_network(each, strict=False) for each in used]
    for part in _parts([_Part(ip_network(base), size) for base, size in pools], after):
        near = [each for each in taken if each.version == part.pool.version]
        near = [each for each in near if each.overlaps(part.pool)]
        for candidate in part.subnets():
            if not any(candidate.overlaps(each) for each in near):
                return str(candidate)
    raise PoolsExhausted


@dataclass(frozen=True, slots=True)
class _Part:
    """Subnets of a pool, from the number `first` on and up to the number `end`, None for all."""

    pool: IPv4Network | IPv6Network
    size: int
    first: int = 0
    end: int | None = None

    @property
    def _prefix(self) -> int:
        return max(self.size, self.pool.prefixlen)

    def subnets(self) -> Iterator[IPv4Network | IPv6Network]:
        """Yield them."""
        shift = self.pool.max_prefixlen - self._prefix
        base = int(self.pool.network_address)
        end = self.end if self.end is not None else 1 << (self._prefix - self.pool.prefixlen)
        for number in range(self.first, end):
            yield type(self.pool)((base + (number << shift), self._prefix))

    def number_of(self, subnet: IPv4Network | IPv6Network) -> int | None:
        """Return the number of the subnet in which another one begins; None if it is elsewhere."""
        if subnet.version != self.pool.version or not subnet.overlaps(self.pool):
            return None
        shift = self.pool.max_prefixlen - self._prefix
        distance = int(subnet.network_address) - int(self.pool.network_address)
        return max(distance, 0) >> shift


def _parts(pools: list[_Part], after: str) -> list[_Part]:
    """Return the pools in the order in which they are looked through."""
    last = ip_network(after, strict=False) if after else None
    for at, pool in enumerate(pools):
        if last is not None and (number := pool.number_of(last)) is not None:
            behind, before = replace(pool, first=number + 1), replace(pool, end=number + 1)
            return [behind, *pools[at + 1 :], *pools[:at], before]
    return pools


def _parse(address: str, version: int) -> int:
    try:
        parsed = ip_address(address)
    except ValueError as error:
        raise InvalidArgument(f"invalid IPv{version} address: {address}") from error
    if parsed.version != version:
        raise InvalidArgument(f"invalid IPv{version} address: {address}")
    return int(parsed)
