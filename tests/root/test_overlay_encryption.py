"""Encrypted overlay networks on a real kernel: nothing in the clear, nothing lost, nothing left.

They need IPsec ESP in the kernel; `make test-vm` runs them on one that has it.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from engine.core.esp import NetworkKey
from engine.core.overlay import EncryptionUnavailable, default_mtu
from engine.core.sandbox import mac_of
from engine.networks.overlay_encryption import set_keys
from engine.networks.overlay_examine import examine
from tests.root.cable import needs_esp, needs_no_esp, seen_on_cable
from tests.root.frame_kinds import strays
from tests.root.node import wait_until
from tests.root.overlay_bed import (
    NET,
    OverlayNode,
    answering,
    ask,
    datagrams,
    in_namespace,
    introduce,
    member,
    overlay_nodes,
    send_whole,
)

_UDP = 17
_VNI = 4097
_MTU = 1416


def keys(first: int) -> list[NetworkKey]:
    """Return three keys as managers hold them."""
    return [NetworkKey(clock, bytes([clock]) * 32) for clock in range(first, first + 3)]


@pytest.fixture
def pair() -> Iterator[list[OverlayNode]]:
    """Lend two nodes with containers a and b on an encrypted network, and its keys."""
    with overlay_nodes(2) as nodes:
        begin(nodes)
        yield nodes


def begin(nodes: list[OverlayNode]) -> None:
    """Have a and b on an encrypted network."""
    for node in nodes:
        mtu = default_mtu(node.address, is_encrypted=True)
        node.put(options={"encrypted": ""}, mtu=mtu)
        node.do(set_keys(node.env, keys(1)))
    nodes[0].start("a", "10.0.7.2")
    nodes[1].start("b", "10.0.7.3")
    introduce(*nodes)


@contextmanager
def talking(node: OverlayNode, name: str, address: str) -> Iterator[list[bytes]]:
    """Have a container send numbered datagrams to another all the while; collect its echoes."""
    echoes: list[bytes] = []
    over = threading.Event()

    def connect() -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.connect((address, 7001))
        made.settimeout(2)
        return made

    with node.inside(name, connect) as connection:

        def talk() -> None:
            number = 0
            while not over.is_set():
                connection.send(number.to_bytes(4))
                try:
                    echoes.append(connection.recv(100))
                except (TimeoutError, ConnectionRefusedError):
                    echoes.append(b"")
                number += 1

        thread = threading.Thread(target=talk, daemon=True)
        thread.start()
        yield echoes
        over.set()
        thread.join(5)


@contextmanager
def echoing(node: OverlayNode, name: str) -> Iterator[None]:
    """Let a container send datagrams back."""

    def bind() -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind(("", 7001))
        made.settimeout(0.2)
        return made

    over = threading.Event()
    with node.inside(name, bind) as bound:

        def serve() -> None:
            while not over.is_set():
                try:
                    data, sender = bound.recvfrom(100)
                except TimeoutError:
                    continue
                bound.sendto(data, sender)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield
        over.set()
        thread.join(5)


def tunnelled(payload: bytes) -> bytes:
    """Return a VXLAN packet's UDP payload with a datagram from a to port 7000 of b in it."""
    udp = struct.pack(">HHHH", 7000, 7000, 8 + len(payload), 0) + payload
    head = struct.pack(
        ">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, _UDP, 0,
        socket.inet_aton("10.0.7.2"), socket.inet_aton("10.0.7.3"),
    )  # fmt: skip
    words = struct.unpack(">10H", head)
    total = sum(words)
    total = (total & 0xFFFF) + (total >> 16)
    head = head[:10] + struct.pack(">H", ~total & 0xFFFF) + head[12:]
    target, source = (bytes.fromhex(mac_of(each).replace(":", "")) for each in _ENDS)
    return struct.pack(">II", 0x08000000, _VNI << 8) + target + source + b"\x08\x00" + head + udp


_ENDS = ("10.0.7.3", "10.0.7.2")


@needs_esp
def test_nodes_speak_esp_and_nothing_else(pair: list[OverlayNode]) -> None:
    """What is on the cable is for nobody else to read, also at full size."""
    one, other = pair

    with seen_on_cable(one.place) as seen, answering(other, "b"), datagrams(other, "b") as heard:
        assert ask(one, "a", "10.0.7.3") == "b"
        one.inside("a", lambda: send_whole(("10.0.7.3", 7000), bytes(_MTU - 28)))
        assert len(heard(5)) == _MTU - 28
        wait_until(lambda: seen.count("esp") > 4, "packets on the cable")

    assert strays(seen) == set()
    assert one.do(examine(one.env)) == []


@needs_esp
def test_tunnels_over_ipv6_are_encrypted_too() -> None:
    """There is room for the longer header."""
    with overlay_nodes(2) as nodes:
        one, other = nodes
        for node in nodes:
            node.address = node.address6
        begin(nodes)
        with seen_on_cable(one.place) as seen, datagrams(other, "b") as heard:
            one.inside("a", lambda: send_whole(("10.0.7.3", 7000), bytes(1396 - 28)))
            assert len(heard(5)) == 1396 - 28
            wait_until(lambda: "esp" in seen, "a packet on the cable")

        assert strays(seen) == set()
        assert one.do(examine(one.env)) == []


@needs_esp
def test_a_packet_in_the_clear_is_not_let_in(pair: list[OverlayNode]) -> None:
    """Whoever is on the network of the nodes could make one; so could a program on a node."""
    one, other = pair
    forged = tunnelled(b"forged")

    def forge() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(forged, (other.address, 4789))

    with datagrams(other, "b") as heard:
        with pytest.raises(PermissionError):
            in_namespace(one.place, forge)
        # Past the node's own rules, as from another machine.
        one.host("nft", "flush", "table", "inet", "skep-esp")
        in_namespace(one.place, forge)
        one.do(_guard_anew(one))
        one.inside("a", lambda: send_whole(("10.0.7.3", 7000), b"true"))

        assert heard(5) == b"true"
    # Without the guard there the packet would have been taken: the test forges well.
    one.host("nft", "flush", "table", "inet", "skep-esp")
    other.host("nft", "flush", "table", "inet", "skep-esp")
    with datagrams(other, "b") as heard:
        in_namespace(one.place, forge)
        assert heard(5) == b"forged"


async def _guard_anew(node: OverlayNode) -> None:
    await node.env.overlay.encryption.guard({_VNI}, {4789})


@needs_esp
def test_without_keys_nothing_leaves(pair: list[OverlayNode]) -> None:
    """Never in the clear: not before the managers told the keys, not to a node without them."""
    one, other = pair
    with seen_on_cable(one.place) as seen, answering(other, "b"):
        one.do(set_keys(one.env, []))
        with pytest.raises(OSError, match=r"timed out"):
            ask(one, "a", "10.0.7.3", timeout_s=2)

    assert strays(seen) == set()
    assert "esp" not in seen


@needs_esp
def test_a_node_without_the_tunnel_refuses_nothing_in_the_clear(pair: list[OverlayNode]) -> None:
    """A refusal quotes what it refuses, and that was decrypted by then: as tunnels come and go."""
    one, other = pair
    (tunnel,) = other.space("ip", "-br", "link", "show", "type", "vxlan").splitlines()
    with seen_on_cable(one.place) as seen, datagrams(other, "b") as heard:
        other.space("ip", "link", "set", tunnel.split()[0].partition("@")[0], "down")
        one.inside("a", lambda: send_whole(("10.0.7.3", 7000), b"early"))
        wait_until(lambda: "esp" in seen, "a packet on the cable")
        other.space("ip", "link", "set", tunnel.split()[0].partition("@")[0], "up")
        wait_until(lambda: _arrives(one, heard), "the tunnel to be back")

    assert strays(seen) == set()


def _arrives(sender: OverlayNode, heard: Callable[[float], bytes]) -> bool:
    sender.inside("a", lambda: send_whole(("10.0.7.3", 7000), b"late"))
    try:
        return heard(0.2) == b"late"
    except TimeoutError:
        return False


@needs_esp
def test_a_rotation_loses_no_packet(pair: list[OverlayNode]) -> None:
    """One node hears of new keys before the other, three times over."""
    one, other = pair
    traffic = echoing(other, "b"), talking(one, "a", "10.0.7.3")
    with seen_on_cable(one.place) as seen, traffic[0], traffic[1] as echoes:
        for first in (2, 3, 4):
            for node in pair if first % 2 else reversed(pair):
                told = len(echoes)
                node.do(set_keys(node.env, keys(first)))
                wait_until(lambda told=told: len(echoes) > told + 5, "some echoes")  # type: ignore[misc]

    assert echoes == [number.to_bytes(4) for number in range(len(echoes))]
    assert strays(seen) == set()
    assert one.do(examine(one.env)) == []
    assert one.host("ip", "xfrm", "state").count("proto esp") == 4


@needs_esp
def test_nothing_stays_after_the_last_container(pair: list[OverlayNode]) -> None:
    """And a peer that is gone takes its associations along."""
    one, other = pair

    one.stop("a")
    other.members({"a": None})

    assert one.host("ip", "xfrm", "state") == one.host("ip", "xfrm", "policy") == ""
    assert "skep-esp" not in one.host("nft", "list", "tables")
    assert other.host("ip", "xfrm", "state") == other.host("ip", "xfrm", "policy") == ""
    assert "skep-esp" in other.host("nft", "list", "tables")


@needs_esp
def test_a_restart_leaves_traffic_alone_and_tidies_what_a_crash_left(
    pair: list[OverlayNode],
) -> None:
    """States and policies stay until the managers tell; without containers they go."""
    one, other = pair
    traffic = echoing(other, "b"), talking(one, "a", "10.0.7.3")
    with seen_on_cable(one.place) as seen, traffic[0], traffic[1] as echoes:
        steps: list[Callable[[], None]] = [
            lambda: one.restart(["a"]),
            lambda: one.members({"b": member(other, "b", "10.0.7.3")}, is_complete=True),
            lambda: one.do(set_keys(one.env, keys(2))),
        ]
        for step in steps:
            step()
            told = len(echoes)
            wait_until(lambda told=told: len(echoes) > told + 5, "some echoes")  # type: ignore[misc]

    assert echoes == [number.to_bytes(4) for number in range(len(echoes))]
    assert strays(seen) == set()
    assert one.do(examine(one.env)) == []
    assert one.host("ip", "xfrm", "state").count("proto esp") == 4

    one.restart([])

    assert one.host("ip", "xfrm", "state") == one.host("ip", "xfrm", "policy") == ""
    assert "skep-esp" not in one.host("nft", "list", "tables")


@needs_esp
def test_the_doctor_finds_what_was_changed_behind_the_daemon(pair: list[OverlayNode]) -> None:
    """A difference is a line."""
    one, other = pair

    one.host("ip", "xfrm", "policy", "flush")
    one.host("nft", "delete", "table", "inet", "skep-esp")
    found = one.do(examine(one.env))

    assert len(found) == 2
    assert found[0] == "encryption: tunnel 4097 is not guarded"
    assert found[1].startswith(f"encryption: packets from {one.address} to {other.address} port")


@needs_no_esp
def test_a_kernel_without_esp_is_named_and_nothing_is_left() -> None:
    """Never silently in the clear."""
    with overlay_nodes(1) as (one,):
        one.put(options={"encrypted": ""})

        with pytest.raises(EncryptionUnavailable, match=r"web_net is encrypted .* no IPsec"):
            one.start("a", "10.0.7.2")

        assert one.do(one.env.overlay.spaces.keys()) == set()
        assert one.do(one.env.links.namespaces()) == set()
        assert "skep-esp" not in one.host("nft", "list", "tables")
        assert NET in {each.id for each in one.env.store.all()}


def test_trying_leaves_no_state() -> None:
    """The kernel is asked by a state that is gone at once."""
    with overlay_nodes(1) as (one,):
        one.do(one.env.overlay.encryption.lacks(4))
        one.do(one.env.overlay.encryption.lacks(6))

        assert one.host("ip", "xfrm", "state") == ""
