"""Who a container on an overlay network may say that it is: a table at the doors of its bridge.

The managers say which addresses a container has. What it sends under another's of the network, or
claims to have in ARP or neighbour discovery, goes no further than its own link: there is nothing to
be stolen by it, neither on this node nor on others. What comes out of a tunnel was looked at by the
node that it is from.

A container may pass on what is from outside of the network's subnets: it can be a router.

Shape of the table:

    own4, own6   link . MAC . address    what may be sent; own6 has the link-local address too
    claims6      link . address          what neighbour advertisements may be about, as a number

Protocols other than IPv4, IPv6 and ARP are not carried. Tagged frames count as what is in them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import IPv6Address, ip_address

from msgspec import Struct

from api.addresses import version_of
from engine.core.difference_lines import difference_lines
from engine.core.nft_batch import BRIDGE, Batch, replacement

TABLE = "skep-sources"

_LINK_LOCAL = "fe80::/10"
# By `meta`, since nft looks for ICMPv6 in frames without a tag alone, and for addresses in all.
_CONTENT = """
set own4 {{ type ifname . ether_addr . ipv4_addr; }}
set own6 {{ type ifname . ether_addr . ipv6_addr; }}
set claims6 {{ typeof iifname . @th,64,128; }}
chain arriving {{
    type filter hook prerouting priority 0; policy accept;
    iifname "vx*" accept
    iifname . ether saddr . ip saddr @own4 accept
    meta protocol ip6 meta l4proto 58 @th,0,8 {{ 134, 136, 137 }} goto claims
    iifname . ether saddr . ip6 saddr @own6 accept
    iifname . arp saddr ether . arp saddr ip @own4 accept
    {others}
    counter drop
}}
chain claims {{
    @th,0,8 136 iifname . @th,64,128 @claims6 accept
    counter drop
}}
"""
_EVERY = {4: ("meta protocol ip accept", "ether type arp accept"), 6: ("meta protocol ip6 accept",)}
_BUT = {
    4: ("ip saddr != {{ {0} }} accept", "arp saddr ip != {{ {0} }} accept"),
    6: ("ip6 saddr != {{ {0} }} accept",),
}


class Source(Struct, frozen=True):
    """What a container has on a network: the MAC of its link, and bare addresses."""

    mac: str
    addresses: tuple[str, ...]


class SourceGuard:
    """The table of one network; methods return the transaction that makes it so, "" for none.

    What was returned counts as done: where it failed, begin again with `whole`.
    """

    def __init__(self, subnets: Iterable[str]) -> None:
        self._subnets = tuple(subnets)
        self._elements: dict[str, list[tuple[str, str]]] = {}
        self._sources: dict[str, Source] = {}

    def whole(self, sources: Mapping[str, Source]) -> str:
        """Return what replaces the whole table, whatever is there, by one of exactly this."""
        self._elements, self._sources = {}, {}
        content = _CONTENT.format(others="\n    ".join(self._others()))
        return replacement(TABLE, content, self.change(sources), family=BRIDGE)

    def change(self, sources: Mapping[str, Source]) -> str:
        """Return what lets just these, by their links, send as who they are."""
        batch = Batch(TABLE, BRIDGE)
        for link, source in list(self._sources.items()):
            if sources.get(link) != source:
                del self._sources[link]
                for place, element in self._elements.pop(link):
                    batch.delete(place, element)
        for link, source in sources.items():
            if link not in self._sources:
                self._sources[link] = source
                self._elements[link] = list(_elements(link, source))
                for place, element in self._elements[link]:
                    batch.add(place, element)
        return batch.text()

    def differences(self, present: Iterable[str]) -> list[str]:
        """Return a line for each element, as nft tells it behind its set's name, that is wrong."""
        found = {_canonical(each) for each in present}
        wanted = {
            _canonical(f"{place} {element}")
            for each in self._elements.values()
            for place, element in each
        }
        return difference_lines(wanted, found)

    def _others(self) -> Iterable[str]:
        """Return the rules for what is sent under no address of the sender's own."""
        for version, rules in _BUT.items():
            own = [each for each in self._subnets if version_of(each.partition("/")[0]) == version]
            if version == 6:
                own.append(_LINK_LOCAL)
            for but, every in zip(rules, _EVERY[version], strict=True):
                yield but.format(", ".join(own)) if own else every


def _canonical(element: str) -> str:
    """Return an element as a person reads it, however nft spells names and numbers."""
    *front, last = element.replace('"', "").split(" . ")
    if element.startswith("claims6"):
        last = str(IPv6Address(int(last, 0)))
    return " . ".join([*front, last])


def link_local_of(mac: str) -> str:
    """Return the IPv6 address that a link of this MAC gives itself (RFC 4291, modified EUI-64)."""
    raw = bytes.fromhex(mac.replace(":", ""))
    own = bytes([raw[0] ^ 2]) + raw[1:3] + b"\xff\xfe" + raw[3:]
    return str(IPv6Address(b"\xfe\x80" + bytes(6) + own))


def _elements(link: str, source: Source) -> Iterable[tuple[str, str]]:
    name = f'"{link}"'
    for address in source.addresses:
        if version_of(address) == 4:
            yield "own4", f"{name} . {source.mac} . {address}"
    six = [each for each in source.addresses if version_of(each) == 6]
    for address in [*six, link_local_of(source.mac)] if six else []:
        yield "own6", f"{name} . {source.mac} . {address}"
        yield "claims6", f"{name} . {int(ip_address(address)):#034x}"
