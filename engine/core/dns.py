"""What containers' names mean: who answers to a name on a network, and what goes to the outside."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import ip_address, ip_network

from msgspec import Struct

from engine.core.dns_message import (
    AAAA,
    LONGEST_TCP,
    NO_SUCH_NAME,
    NOT_IMPLEMENTED,
    PTR,
    REFUSED,
    SERVER_FAILURE,
    A,
    Query,
    address_of_pointer,
    pack_answer,
    parse_query,
)

ADDRESS = "127.0.0.11"

# What may be a top-level domain of the public tree, so that x.<it> may be somebody's.
_PUBLIC_LOOKING = re.compile(r"[a-z]{2,63}|xn--[a-z0-9-]+")


class Forward:
    """The answer that is no answer: somebody outside may know."""


FORWARD = Forward()


class Entry(Struct, frozen=True):
    """A container on a network: the names that it answers to, the first its own, and addresses.

    Names in any case; "" for a family without an address. Where it `is_main`, its addresses are
    its own: they lead back to its first name.
    """

    names: tuple[str, ...]
    ipv4: str = ""
    ipv6: str = ""
    is_main: bool = True


class View(Struct, frozen=True, kw_only=True):
    """What one container may ask.

    `networks` are (id, name) in the order of the search; `links` name others by names of this
    container's own, keys in lower case. `subnets` are of its networks, in CIDR form. A container
    with internal networks alone may not ask the outside (CVE-2024-29018: names carry data).
    """

    networks: tuple[tuple[str, str], ...]
    subnets: tuple[str, ...] = ()
    links: dict[str, str] = {}
    may_ask_outside: bool = True


class Directory:
    """Every name on every network, and who has it; `changes` grows with each change."""

    def __init__(self) -> None:
        self.changes = 0
        self._names: dict[str, dict[str, dict[str, Entry]]] = {}
        self._addresses: dict[str, dict[str, str]] = {}
        self._entries: dict[str, dict[str, Entry]] = {}

    def put(self, container_id: str, entries: dict[str, Entry]) -> None:
        """Set a container's entries, by network id, in place of those it had."""
        self.drop(container_id)
        self._entries[container_id] = entries
        for network_id, entry in entries.items():
            names = self._names.setdefault(network_id, {})
            for name in entry.names:
                names.setdefault(name.lower(), {})[container_id] = entry
            if entry.names and entry.is_main:
                addresses = self._addresses.setdefault(network_id, {})
                addresses.update(dict.fromkeys(_addresses(entry), entry.names[0]))

    def drop(self, container_id: str) -> None:
        """Forget a container; fine if unknown."""
        self.changes += 1
        for network_id, entry in self._entries.pop(container_id, {}).items():
            names = self._names[network_id]
            for name in {each.lower() for each in entry.names}:
                del names[name][container_id]
                if not names[name]:
                    del names[name]
            addresses = self._addresses.get(network_id, {})
            for address in _addresses(entry) if entry.is_main else ():
                if entry.names and addresses.get(address) == entry.names[0]:
                    del addresses[address]

    def has(self, owner: str, network_id: str, entry: Entry) -> bool:
        """Tell whether an owner answers on a network by just this entry, under all its names."""
        names = self._names.get(network_id, {})
        return all(names.get(name.lower(), {}).get(owner) == entry for name in entry.names)

    def find(self, view: View, name: str) -> list[Entry]:
        """Return who answers to a name, on the first of the networks where anybody does."""
        name = view.links.get(name, name)
        host, _, suffix = name.rpartition(".")
        for network_id, network in view.networks:
            names = self._names.get(network_id, {})
            found = names.get(name)
            if not found and host and suffix == network.lower():
                found = names.get(host)
            if not found and host and name.endswith(f".{network.lower()}"):
                found = names.get(name[: -len(network) - 1])
            if found:
                return list(found.values())
        return []

    def name_at(self, view: View, address: str) -> str:
        """Return the name of who has an address, with its network's behind; "" for nobody."""
        for network_id, network in view.networks:
            name = self._addresses.get(network_id, {}).get(address)
            if name:
                return f"{name}.{network}"
        return ""


def answer(
    packet: bytes, directory: Directory, view: View, turn: int, *, over_tcp: bool = False
) -> bytes | Forward | None:
    """Return the answer to a packet, FORWARD to ask outside, None when it deserves no answer.

    Several owners of a name take turns at the head of the list, by `turn`. A name of ours is never
    asked outside, whatever type is asked of it: a type that it lacks is an empty answer.
    """
    query = parse_query(packet)
    if query is None:
        return None
    limit = LONGEST_TCP if over_tcp else query.limit
    if not query.is_standard:
        rcode = REFUSED if not query.flags & 0x7800 else NOT_IMPLEMENTED
        return pack_answer(query, rcode=rcode, limit=limit)
    if query.kind == PTR:
        known = _pointer(query, directory, view)
    else:
        known = _owners(query, directory, view)
    if known is not None:
        first = turn % len(known) if known else 0
        return pack_answer(query, known[first:] + known[:first], limit=limit)
    if _is_ours_alone(query, view):
        return pack_answer(query, rcode=NO_SUCH_NAME, limit=limit)
    if not view.may_ask_outside:
        return pack_answer(query, rcode=SERVER_FAILURE, limit=limit)
    return FORWARD


def refusal(packet: bytes, rcode: int = SERVER_FAILURE) -> bytes:
    """Return the answer that tells an asker of a failure."""
    query = parse_query(packet)
    assert query is not None, "only what was parsed is forwarded"
    return pack_answer(query, rcode=rcode, limit=query.limit)


def _owners(query: Query, directory: Directory, view: View) -> list[str] | None:
    found = directory.find(view, query.name)
    if not found:
        return None
    if query.kind == A:
        return list(dict.fromkeys(each.ipv4 for each in found if each.ipv4))
    if query.kind == AAAA:
        return list(dict.fromkeys(each.ipv6 for each in found if each.ipv6))
    return []


def _pointer(query: Query, directory: Directory, view: View) -> list[str] | None:
    address = address_of_pointer(query.name)
    name = directory.name_at(view, address) if address else ""
    return [name] if name else None


def _is_ours_alone(query: Query, view: View) -> bool:
    """Tell whether nobody outside can know: an address of our networks, or a name under one."""
    address = address_of_pointer(query.name) if query.kind == PTR else ""
    if address:
        asked = ip_address(address)
        return any(asked in ip_network(each) for each in view.subnets)
    _, dot, suffix = query.name.rpartition(".")
    return bool(dot) and any(
        suffix == network.lower() and not _PUBLIC_LOOKING.fullmatch(suffix)
        for _, network in view.networks
    )


def _addresses(entry: Entry) -> Iterable[str]:
    return (each for each in (entry.ipv4, entry.ipv6) if each)
