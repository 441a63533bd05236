"""What a frame on a cable is, by name, as precisely as its headers say."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from ipaddress import ip_address

TUNNELS = 4789

_IPV4, _ARP, _IPV6 = 0x0800, 0x0806, 0x86DD
_ICMP, _TCP, _UDP, _ESP, _ICMPV6 = 1, 6, 17, 50, 58
_FRAGMENT = 44
# Hop-by-hop options, routing, fragment, destination options: another header follows.
_FOLLOWED = frozenset({0, 43, _FRAGMENT, 60})
# Neighbour solicitation and advertisement: whose address it is about is inside.
_OF_NEIGHBOURS = (135, 136)
_PROTOCOLS = {_ICMP: "icmp", 2: "igmp", _TCP: "tcp", _UDP: "udp", _ESP: "esp", _ICMPV6: "icmpv6"}

# What hosts say to their own link whatever runs on them: that of the cable's addresses, nothing of
# a network above, and nothing from a container, whose addresses of the link begin with fe80::42.
_HOST = r"(10\.231\.0\.\d+|fe80::(?!42:)\S+|fd23:1::\w+)"
_OF_THE_LINK = re.compile(
    rf"arp for {_HOST}"
    # Seconds after a link is up: a look for routers, and multicast groups.
    rf"|icmpv6 133\.0 {_HOST} > ff02::2"
    rf"|icmpv6 143\.0 (::|{_HOST}) > ff02::16"
    # What ARP is over IPv4: who has an address, and the answer.
    rf"|icmpv6 135\.0 for {_HOST} (::|{_HOST}) > \S+"
    rf"|icmpv6 136\.0 for {_HOST} {_HOST} > \S+"
)


def kind_of(frame: bytes) -> str:
    """Return what an Ethernet frame is: `esp`, `vxlan` and its id, or what else its headers say.

    Shapes:  "esp"   "vxlan 4097"   "udp 10.0.0.1 port 5 > 10.0.0.2 port 53"   "tcp …"
             "icmpv6 143.0 fe80::1 > ff02::16"   "icmpv6 135.0 for fd00::2 fd00::1 > ff02::1:ff00:2"
             "igmp …"   "ip protocol 89 …"
             "arp for 10.0.0.2"   "ethertype 88cc"   "… fragment at 1480" when it is not the first
    ESP has no more after it: nobody without the key reads on.
    """
    ethertype = int.from_bytes(frame[12:14])
    body = frame[14:]
    if ethertype == _IPV4 and len(body) >= 20:
        return _ipv4(body)
    if ethertype == _IPV6 and len(body) >= 40:
        return _ipv6(body)
    if ethertype == _ARP and len(body) >= 28:
        return f"arp for {ip_address(body[24:28])}"
    return f"ethertype {ethertype:04x}"


def strays(seen: Iterable[str]) -> set[str]:
    """Return what was seen that is neither ESP nor what hosts say to their own link."""
    return {each for each in seen if each != "esp" and not _OF_THE_LINK.fullmatch(each)}


def _ipv4(body: bytes) -> str:
    ends = _Ends(body[12:16], body[16:20])
    offset = (int.from_bytes(body[6:8]) & 0x1FFF) * 8
    return _carried(body[9], body[(body[0] & 15) * 4 :], ends, offset)


def _ipv6(body: bytes) -> str:
    protocol, rest, offset = body[6], body[40:], 0
    while protocol in _FOLLOWED and not offset and len(rest) >= 8:
        if protocol == _FRAGMENT:
            offset = int.from_bytes(rest[2:4]) & 0xFFF8
            length = 8
        else:
            length = 8 + rest[1] * 8
        protocol, rest = rest[0], rest[length:]
    return _carried(protocol, rest, _Ends(body[8:24], body[24:40]), offset)


class _Ends:
    """Source and destination of a packet."""

    def __init__(self, source: bytes, target: bytes) -> None:
        self._source, self._target = ip_address(source), ip_address(target)

    def __str__(self) -> str:
        return f"{self._source} > {self._target}"

    def at(self, source_port: int, target_port: int) -> str:
        """Return them with ports."""
        return f"{self._source} port {source_port} > {self._target} port {target_port}"


def _carried(protocol: int, rest: bytes, ends: _Ends, offset: int) -> str:
    name = _PROTOCOLS.get(protocol, f"ip protocol {protocol}")
    if protocol == _ESP:
        return name
    if offset:
        return f"{name} {ends} fragment at {offset}"
    if protocol in (_TCP, _UDP) and len(rest) >= 8:
        return _with_ports(name, rest, ends)
    if protocol in (_ICMP, _ICMPV6) and len(rest) >= 2:
        whose = f" for {ip_address(rest[8:24])}" if _is_of_neighbours(protocol, rest) else ""
        return f"{name} {rest[0]}.{rest[1]}{whose} {ends}"
    return f"{name} {ends}"


def _with_ports(name: str, rest: bytes, ends: _Ends) -> str:
    source_port, target_port = struct.unpack_from(">HH", rest)
    if name == "udp" and target_port == TUNNELS:
        return f"vxlan {int.from_bytes(rest[12:15])}"
    return f"{name} {ends.at(source_port, target_port)}"


def _is_of_neighbours(protocol: int, rest: bytes) -> bool:
    return protocol == _ICMPV6 and rest[0] in _OF_NEIGHBOURS and len(rest) >= 24
