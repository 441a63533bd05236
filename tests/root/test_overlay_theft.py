"""What a container could claim to be on its overlay network: nobody may believe it.

Docker's containers have NET_RAW, so they write the frames that they like; with NET_ADMIN they give
themselves the addresses that they like.
"""

from __future__ import annotations

import json
import re
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address

import pytest

from engine.core.sandbox import mac_of
from engine.core.source_guard import link_local_of
from engine.networks.overlay import put_overlay
from engine.networks.overlay_examine import examine
from tests.cluster.lan import run
from tests.root.node import wait_until
from tests.root.overlay_bed import (
    NET,
    OverlayNode,
    answering,
    ask,
    datagrams,
    member,
    network,
    overlay_nodes,
)

SUBNETS = ("10.0.7.0/24", 4097), ("fd07::/64", 4098)
A, THIEF, B = ("10.0.7.2", "fd07::2"), ("10.0.7.9", "fd07::9"), ("10.0.7.3", "fd07::3")
IP, ARP, IP6, TAGGED = b"\x08\x00", b"\x08\x06", b"\x86\xdd", b"\x81\x00\x00\x00"

Claim = Callable[[str, str], bytes]
"""Returns a frame to a MAC that says that an address is the thief's."""


@pytest.fixture(scope="module")
def nodes() -> Iterator[list[OverlayNode]]:
    """Lend two nodes: a and the thief are on the first, b is on the second."""
    with overlay_nodes(2) as nodes:
        one, other = nodes
        for node in nodes:
            node.do(put_overlay(node.env, network(node.address, NET, *SUBNETS)))
        one.start("a", *A)
        one.start("thief", *THIEF)
        other.start("b", *B)
        _introduce(nodes)
        yield nodes


@pytest.fixture(params=["guarded", "open"])
def is_guarded(request: pytest.FixtureRequest, nodes: list[OverlayNode]) -> Iterator[bool]:
    """Tell whether the table is there; without it the thief succeeds: the tests forge well."""
    if request.param == "guarded":
        yield True
        return
    for node in nodes:
        node.space("nft", "delete", "table", "bridge", "skep-sources")
    yield False
    for node in nodes:
        node.do(node.bed.restart([box.container_id for box in node.env.store.all_sandboxes()]))
        _introduce(nodes)


def _introduce(nodes: list[OverlayNode]) -> None:
    one, other = nodes
    one.members({"b": member(other, "b", *B)})
    other.members({"a": member(one, "a", *A), "thief": member(one, "thief", *THIEF)})


def frame(to: str, kind: bytes, content: bytes, source: str = mac_of(THIEF[0])) -> bytes:
    """Return an Ethernet frame."""
    return _mac(to) + _mac(source) + kind + content


def arp(to: str, address: str) -> bytes:
    """Say by an answer that nobody asked for that an address is the thief's."""
    return frame(to, ARP, _arp(to, address))


def odd_arp(to: str, address: str) -> bytes:
    """Say the same as on a network of IEEE 802, which receivers take for Ethernet."""
    return frame(to, ARP, b"\0\6" + _arp(to, address)[2:])


def advertisement(to: str, address: str) -> bytes:
    """Say in neighbour discovery that an address is the thief's, from the thief's own."""
    return frame(to, IP6, _advertisement(address))


def hidden_advertisement(to: str, address: str) -> bytes:
    """Say the same behind a header of options, where a short look does not find it."""
    plain = _advertisement(address)
    head = struct.pack(">IHBB", 0x60000000, len(plain) - 32, 0, 255) + plain[8:40]
    return frame(to, IP6, head + b"\x3a\0\1\4\0\0\0\0" + plain[40:])


@pytest.mark.parametrize(
    ("claim", "family"),
    [
        (arp, 0),
        (odd_arp, 0),
        (advertisement, 1),
        (hidden_advertisement, 1),
    ],
)
def test_nobody_believes_a_claim_to_anothers_address(
    nodes: list[OverlayNode], claim: Claim, family: int, *, is_guarded: bool
) -> None:
    """Neither on the thief's node nor on another one; and its own addresses stay its own."""
    one, other = nodes
    victims = (one, "a", A, B), (other, "b", B, A)
    for node, name, _, _ in victims:
        _run_in(node, name, "ip", "neigh", "flush", "all")
    for node, name, _, peer in victims:
        with answering(*((other, "b") if name == "a" else (one, "a"))):
            ask(node, name, peer[family])
    before = _dropped(one)

    for _, _, own, peer in victims:
        _send(one, claim(mac_of(own[0]), peer[family]))
    if is_guarded:
        wait_until(lambda: _dropped(one) == before + 2, "both claims to be dropped")

    for node, name, _, peer in victims:
        # No ARP passes a tunnel, which answers it; advertisements do.
        is_fooled = not is_guarded and (node is one or family == 1)
        believed = mac_of(THIEF[0] if is_fooled else peer[0])
        wait_until(
            lambda at=node, name=name, peer=peer, mac=believed: (  # type: ignore[misc] # bound
                _neighbour(at, name, peer[family]) == mac
            ),
            f"{name} to believe what it should",
        )


def test_a_tag_hides_no_claim(nodes: list[OverlayNode]) -> None:
    """Kernels with VLANs take the tag of VLAN 0 off, and read on."""
    one, _ = nodes
    before = _dropped(one)
    claims = (ARP + _arp(mac_of(A[0]), B[0]), IP6 + _advertisement(B[1]))

    for each in claims:
        _send(one, frame(mac_of(A[0]), TAGGED, each))
        _send(one, frame(mac_of(A[0]), TAGGED + TAGGED, each))

    wait_until(lambda: _dropped(one) == before + 4, "all claims to be dropped")


def test_nothing_arrives_under_anothers_address(
    nodes: list[OverlayNode], *, is_guarded: bool
) -> None:
    """Not from a raw socket, nor from one who took the address for its own."""
    one, other = nodes
    packet = _ip(B[0], A[0], b"forged")
    before = _dropped(one)
    with datagrams(one, "a") as heard:
        _send(one, frame(mac_of(A[0]), IP, packet))
        _send(one, frame(mac_of(A[0]), IP, packet, source=mac_of(B[0])))
        if is_guarded:
            wait_until(lambda: _dropped(one) == before + 2, "both to be dropped")
            one.inside("thief", lambda: _datagram(A[0]))
        assert heard(5) == (b"mine" if is_guarded else b"forged")
    if is_guarded:
        with _given(one, "thief", f"{B[0]}/24"), answering(other, "b"), answering(one, "thief"):
            _run_in(one, "a", "ip", "neigh", "flush", "all")
            assert ask(one, "a", B[0]) == "b"


def test_a_container_is_free_to_be_itself(nodes: list[OverlayNode]) -> None:
    """By both families, link-local addresses, broadcast and multicast, and as a router."""
    one, other = nodes
    before = _dropped(one)

    for name, at in (("a", one), ("b", other)):
        with answering(at, name, 81):
            near = f"{link_local_of(mac_of((A if name == 'a' else B)[0]))}%eth0"
            for address in (*A, near) if name == "a" else B:
                assert ask(one, "thief", address, 81) == name
    with datagrams(one, "a") as heard:
        one.inside("thief", lambda: _datagram("10.0.7.255"))
        assert heard(5) == b"mine"
        _send(one, frame(mac_of(A[0]), IP, _ip("192.0.2.7", A[0], b"routed")))
        assert heard(5) == b"routed"

    assert before == _dropped(one)
    assert one.do(examine(one.env)) == []


def test_the_doctor_sees_who_may_send_as_whom(nodes: list[OverlayNode]) -> None:
    """Also after a restart of the daemon; and it is mended by that."""
    one, _ = nodes
    link = next(
        each.endpoints[0].link
        for each in one.env.store.all_sandboxes()
        if each.container_id == "thief"
    )
    element = f'{{ "{link}" . {mac_of(THIEF[0])} . {B[0]} }}'
    one.space("nft", "add", "element", "bridge", "skep-sources", "own4", element)
    one.space("nft", "flush", "set", "bridge", "skep-sources", "claims6")

    found = one.do(examine(one.env))
    one.restart(["a", "thief"])
    _introduce(nodes)

    start = "network web_net: who may send: "
    assert f"{start}own4 {link} . {mac_of(THIEF[0])} . {B[0]} is too much" in found
    assert f"{start}claims6 {link} . fd07::9 is missing" in found
    assert 5 == len(found)
    assert one.do(examine(one.env)) == []


def test_who_left_may_send_no_more(nodes: list[OverlayNode]) -> None:
    """Its elements go with it, and those of others stay."""
    one, _ = nodes
    before = one.space("nft", "list", "table", "bridge", "skep-sources").count("02:42:")
    dropped = _dropped(one)

    one.start("guest", "10.0.7.20", "fd07::20")
    wait_until(
        lambda: "tentative" not in _run_in(one, "guest", "ip", "-6", "addr"), "its addresses"
    )
    during = one.space("nft", "list", "table", "bridge", "skep-sources").count("02:42:")
    one.stop("guest")

    assert before + 3 == during
    assert dropped == _dropped(one), "it looked whether its addresses are free"
    assert before == one.space("nft", "list", "table", "bridge", "skep-sources").count("02:42:")


@contextmanager
def _given(node: OverlayNode, name: str, address: str) -> Iterator[None]:
    """Let a container take an address for its own, as NET_ADMIN lets it."""
    _run_in(node, name, "ip", "addr", "add", address, "dev", "eth0")
    try:
        yield
    finally:
        _run_in(node, name, "ip", "addr", "del", address, "dev", "eth0")


def _run_in(node: OverlayNode, name: str, *command: str) -> str:
    return run("nsenter", f"--net={node.env.links.namespace_path(name)}", *command)


def _neighbour(node: OverlayNode, name: str, address: str) -> str:
    """Return the MAC that a container believes an address to have."""
    shown = json.loads(_run_in(node, name, "ip", "-j", "neigh", "show", address))
    return str(shown[0].get("lladdr", "")) if shown else ""


def _dropped(node: OverlayNode) -> int:
    """Return how many frames were kept from the bridge; 0 without a table."""
    text = node.space("nft", "list", "ruleset")
    return sum(map(int, re.findall(r"counter packets (\d+)", text)))


def _send(node: OverlayNode, content: bytes) -> None:
    """Have the thief send a frame."""

    def work() -> None:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
            raw.bind(("eth0", 0))
            raw.send(content)

    node.inside("thief", work)


def _datagram(target: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sender.sendto(b"mine", (target, 7000))


def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def _arp(to: str, address: str) -> bytes:
    """Return a request for one's own address, which changes what others believe at once."""
    own = ip_address(address).packed
    head = struct.pack(">HHBBH", 1, 0x0800, 6, 4, 1)
    return head + _mac(mac_of(THIEF[0])) + own + _mac(to) + own


def _advertisement(address: str) -> bytes:
    """Return a packet that overrides what is believed of an address."""
    target = A[1] if address == B[1] else B[1]
    ends = ip_address(THIEF[1]).packed + ip_address(target).packed
    claim = ip_address(address).packed + b"\2\1" + _mac(mac_of(THIEF[0]))
    content = b"\x88\0\0\0\x20\0\0\0" + claim
    check = _sum(ends + struct.pack(">II", len(content), 58) + content)
    content = content[:2] + struct.pack(">H", check) + content[4:]
    return struct.pack(">IHBB", 0x60000000, len(content), 58, 255) + ends + content


def _ip(source: str, target: str, payload: bytes) -> bytes:
    """Return a datagram to port 7000."""
    udp = struct.pack(">HHHH", 7000, 7000, 8 + len(payload), 0) + payload
    ends = ip_address(source).packed + ip_address(target).packed
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + ends
    return head[:10] + struct.pack(">H", _sum(head)) + head[12:] + udp


def _sum(data: bytes) -> int:
    """Return the checksum of the internet protocols."""
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - total
