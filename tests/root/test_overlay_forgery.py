"""What a container could send to the nodes' tunnels, posing as a node: it must not arrive."""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Iterator

import pytest

from api.node_networks import NODE_NETWORKS
from engine.core.sandbox import mac_of
from engine.networks.overlay import drop_overlay
from engine.networks.overlay_examine import examine
from tests.root.node import wait_until
from tests.root.overlay_bed import NET, OverlayNode, datagrams, member, overlay_nodes

_VNI, _PORT = 4097, 4789
_OPEN = "tunnels are open to containers: tunnel_ports 4789 is missing"
_A, _C = "10.0.7.2", "10.0.7.4"


@pytest.fixture
def nodes() -> Iterator[list[OverlayNode]]:
    """Lend three nodes: a and c on the first and third; on the second a stranger, on no overlay."""
    with overlay_nodes(3) as nodes:
        first, second, third = nodes
        for node in nodes:
            node.put()
        first.start("a", _A)
        first.members({"a": member(None, "a", _A), "c": member(third, "c", _C)})
        second.start("stranger", net=NODE_NETWORKS["bridge"])
        first.start("neighbour", net=NODE_NETWORKS["bridge"])
        yield nodes


@pytest.mark.parametrize("sender", ["stranger", "neighbour"])
def test_a_container_cannot_pose_as_a_node(nodes: list[OverlayNode], sender: str) -> None:
    """Docker's containers have NET_RAW: they write the source address that they like."""
    first, second, third = nodes
    at = second if sender == "stranger" else first
    at.host("sh", "-c", "echo 0 | tee /proc/sys/net/ipv4/conf/*/rp_filter")

    with datagrams(first, "a") as heard:
        at.inside(sender, lambda: _forge(third.address, first.address, b"kept back"))
        wait_until(lambda: _dropped(at) == 1, "the packet to be dropped")
        # Without the rules it would have arrived: the test forges well.
        at.host("nft", "flush", "set", "inet", "skep", "tunnel_ports")
        assert at.do(examine(at.env)) == [_OPEN]
        at.inside(sender, lambda: _forge(third.address, first.address, b"let through"))
        assert heard(5) == b"let through"


def test_ports_are_closed_as_long_as_networks_are_known(nodes: list[OverlayNode]) -> None:
    """Also over a restart of the daemon; where there is no cluster nothing is kept back."""
    second = nodes[1]

    second.restart(["stranger"])
    assert second.do(examine(second.env)) == []
    second.do(drop_overlay(second.env, NET))

    assert "4789" not in second.host("nft", "list", "set", "inet", "skep", "tunnel_ports")


def _dropped(node: OverlayNode) -> int:
    """Return how many packets of containers were kept from tunnels."""
    text = node.host("nft", "list", "table", "inet", "skep")
    found = re.findall(r"@tunnel_ports .*counter packets (\d+)", text)
    return sum(map(int, found))


def _forge(source: str, target: str, payload: bytes) -> None:
    """Send a datagram to a's port 7000, through the tunnel, as if from c on the node `source`."""
    inner = _datagram(_C, _A, 7000, payload)
    macs = b"".join(bytes.fromhex(mac_of(each).replace(":", "")) for each in (_A, _C))
    frame = struct.pack(">II", 0x08000000, _VNI << 8) + macs + b"\x08\x00" + inner
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        raw.sendto(_datagram(source, target, _PORT, frame), (target, 0))


def _datagram(source: str, target: str, port: int, payload: bytes) -> bytes:
    """Return an IPv4 packet."""
    udp = struct.pack(">HHHH", 7000, port, 8 + len(payload), 0) + payload
    ends = socket.inet_aton(source) + socket.inet_aton(target)
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, socket.IPPROTO_UDP, 0) + ends
    total = sum(struct.unpack(">10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    return head[:10] + struct.pack(">H", ~total & 0xFFFF) + head[12:] + udp
