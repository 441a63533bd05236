"""What tests read off a cable: each kind by its name, and what may pass beside ESP."""

from __future__ import annotations

import struct
from ipaddress import ip_address

import pytest

from tests.root.frame_kinds import kind_of, strays

_HOSTS = "10.231.0.11", "10.231.0.12"
_LINK = "fe80::1", "ff02::16"


def ipv4(protocol: int, body: bytes, offset: int = 0) -> bytes:
    """Return a frame with a packet between two hosts."""
    source, target = (ip_address(each).packed for each in _HOSTS)
    head = struct.pack(
        ">BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 0, offset // 8, 64, protocol, 0, source, target
    )
    return bytes(12) + b"\x08\x00" + head + body


def ipv6(protocol: int, body: bytes, ends: tuple[str, str] = _LINK) -> bytes:
    """Return a frame with a packet between these addresses."""
    source, target = (ip_address(each).packed for each in ends)
    head = struct.pack(">IHBB16s16s", 6 << 28, len(body), protocol, 1, source, target)
    return bytes(12) + b"\x86\xdd" + head + body


def arp(target: str) -> bytes:
    """Return a frame that asks who has an address."""
    return bytes(12) + b"\x08\x06" + bytes(24) + ip_address(target).packed


_VXLAN = struct.pack(">HHHHII", 5555, 4789, 30, 0, 0x08000000, 4097 << 8)
_ROUTER_ALERT = bytes([58, 0, 5, 2, 0, 0, 1, 0])
_WHO_HAS = bytes([135, 0, 0, 0, 0, 0, 0, 0]) + ip_address("10::7:3").packed


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        (ipv4(50, bytes(20)), "esp"),
        (ipv4(50, bytes(20), offset=1480), "esp"),
        (ipv6(50, bytes(20)), "esp"),
        (ipv6(44, bytes([50, 0, 5, 200, 0, 0, 0, 1]) + bytes(8)), "esp"),
        (ipv4(17, _VXLAN), "vxlan 4097"),
        (ipv6(17, _VXLAN), "vxlan 4097"),
        (ipv4(17, bytes(8), offset=1480), "udp 10.231.0.11 > 10.231.0.12 fragment at 1480"),
        (
            ipv4(6, struct.pack(">HH", 40000, 2377) + bytes(16)),
            "tcp 10.231.0.11 port 40000 > 10.231.0.12 port 2377",
        ),
        (ipv4(1, b"\3\3" + bytes(30)), "icmp 3.3 10.231.0.11 > 10.231.0.12"),
        (ipv4(89, bytes(8)), "ip protocol 89 10.231.0.11 > 10.231.0.12"),
        (ipv6(0, _ROUTER_ALERT + b"\x8f\0" + bytes(6)), "icmpv6 143.0 fe80::1 > ff02::16"),
        (ipv6(58, _WHO_HAS), "icmpv6 135.0 for 10::7:3 fe80::1 > ff02::16"),
        (arp("10.0.7.3"), "arp for 10.0.7.3"),
        (bytes(12) + b"\x88\xcc", "ethertype 88cc"),
        (bytes(12) + b"\x08\x00\x45", "ethertype 0800"),
    ],
)
def test_a_frame_is_named_by_what_its_headers_say(frame: bytes, kind: str) -> None:
    assert kind == kind_of(frame)


@pytest.mark.parametrize(
    "kind",
    [
        "vxlan 4097",
        "icmp 3.3 10.231.0.12 > 10.231.0.11",
        "arp for 10.0.7.3",
        "icmpv6 143.0 fe80::42:aff:fe00:702 > ff02::16",
        "icmpv6 133.0 fe80::42:aff:fe00:702 > ff02::2",
        "icmpv6 135.0 for fd00::3 fe80::1 > ff02::1:ff00:3",
        "icmpv6 1.4 fd23:1::12 > fd23:1::11",
        "ethertype 88cc",
    ],
)
def test_what_could_come_from_a_network_above_is_a_stray(kind: str) -> None:
    assert {kind} == strays(["esp", kind])


def test_what_hosts_say_to_their_link_is_none() -> None:
    said = [
        "esp",
        "arp for 10.231.0.12",
        "icmpv6 133.0 fe80::54ca:f8ff:fe98:8785 > ff02::2",
        "icmpv6 143.0 fe80::4c6a:f3ff:fe76:ae6 > ff02::16",
        "icmpv6 143.0 :: > ff02::16",
        "icmpv6 135.0 for fd23:1::12 fd23:1::11 > ff02::1:ff00:12",
        "icmpv6 136.0 for fd23:1::12 fd23:1::12 > fd23:1::11",
    ]

    assert set() == strays(said)
