"""Overlay networks between nodes on real kernel parts: tunnels, tables, isolation, repair."""

from __future__ import annotations

import os
import re
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.types.networks import NetworkCreateRequest
from engine.adapters.netlink import NetlinkSocket
from engine.core.overlay import Tunnel, TunnelPortTaken, TunnelTaken
from engine.core.sandbox import mac_of
from engine.networks.create import create
from engine.networks.inspect import inspect
from engine.networks.overlay import put_overlay
from engine.ports.overlay import SpaceOrder
from tests.cluster.lan import run
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
    network,
    overlay_nodes,
    send_whole,
    two_nodes,
)

_NETLINK_NETFILTER, _GET_FLOWS = 12, 0x101
DUAL = (("10.0.7.0/24", 4097), ("fd07::/64", 4098))


@pytest.fixture
def pair() -> Iterator[list[OverlayNode]]:
    """Lend two nodes that know the network, with containers a on one and b on the other."""
    with two_nodes() as nodes:
        yield nodes


def test_tunnel_that_a_gone_network_left_is_taken_over(pair: list[OverlayNode]) -> None:
    """Managers give the id of a removed network out again, maybe before a node has let go."""
    node, _ = pair
    overlays = node.env.overlay.spaces
    tunnels = (Tunnel("10.0.9.0/24", 5001),)

    async def take_over() -> list[set[int]]:
        orders = [
            SpaceOrder(key=key, tunnels=tunnels, mtu=1450, local=node.address, port=4789)
            for key in ("old", "new")
        ]
        try:
            for order in orders:
                await overlays.open(order)
            return [await overlays.tunnels(order.key) for order in orders]
        finally:
            for order in orders:
                await overlays.close(order.key)

    assert [set(), {5001}] == node.do(take_over())


def test_containers_on_two_nodes_reach_one_another(pair: list[OverlayNode]) -> None:
    """The point of it all."""
    one, other = pair
    introduce(one, other)

    with answering(other, "b"), answering(one, "a"):
        heard = ask(one, "a", "10.0.7.3"), ask(other, "b", "10.0.7.2")

    assert heard == ("b", "a")


def test_nobody_is_reached_who_was_not_told_of(pair: list[OverlayNode]) -> None:
    """There is no flooding: without tables nothing passes."""
    one, other = pair

    with answering(other, "b"), pytest.raises(OSError, match=r"unreachable|No route|timed out"):
        ask(one, "a", "10.0.7.3", timeout_s=5)


def test_a_node_without_members_sends_into_no_tunnel(pair: list[OverlayNode]) -> None:
    """VXLAN knows no secrets: who has the id and an address could send what it likes."""
    one, other = pair
    other.members({"a": member(one, "a", "10.0.7.2"), "b": member(None, "b", "10.0.7.3")})

    def send(payload: bytes) -> None:
        other.inside("b", lambda: send_whole(("10.0.7.2", 7000), payload))

    with datagrams(one, "a") as heard:
        send(b"from nobody")
        wait_until(lambda: dropped(one) == 1, "the datagram to be dropped")
        introduce(one, other)
        send(b"from a member")

        assert heard(3) == b"from a member"
    one.members({"b": None})
    with datagrams(one, "a") as heard:
        send(b"from one that has left")
        wait_until(lambda: dropped(one) == 2, "the datagram to be dropped")
        with pytest.raises(TimeoutError):
            heard(0.01)


def dropped(node: OverlayNode) -> int:
    """Return how many packets were kept from a node's tunnels."""
    text = node.host("nft", "list", "table", "inet", "skep-tunnels")
    return sum(int(each) for each in re.findall(r"counter packets (\d+)", text))


def test_a_member_that_goes_leaves_no_entry(pair: list[OverlayNode]) -> None:
    """Tables never keep an entry for a task that is gone."""
    one, other = pair
    introduce(one, other)

    one.members({"b": None})

    tables = one.do(one.env.overlay.spaces.tables(NET))
    assert (dict(tables.neighbours), dict(tables.forwarding)) == ({}, {})


def test_packets_of_full_size_pass(pair: list[OverlayNode]) -> None:
    """The mtu inside leaves room for the tunnel's headers."""
    one, other = pair
    introduce(one, other)

    with datagrams(other, "b") as heard:
        one.inside("a", lambda: send_whole(("10.0.7.3", 7000), bytes(1450 - 28)))

        assert len(heard(3)) == 1450 - 28


def test_the_namespace_goes_with_the_last_container(pair: list[OverlayNode]) -> None:
    """A node without tasks on a network has nothing of it, and may have it again at once."""
    one, other = pair
    introduce(one, other)

    one.stop("a")
    left = one.do(one.env.overlay.spaces.keys())
    assert "skep-tunnels" not in one.host("nft", "list", "tables")
    one.start("c", "10.0.7.4")
    other.members({"c": member(one, "c", "10.0.7.4")})

    assert left == set()
    with answering(other, "b"):
        assert ask(one, "c", "10.0.7.3") == "b"


def test_a_restart_of_the_daemon_leaves_traffic_alone(pair: list[OverlayNode]) -> None:
    """What is in the kernel works without the daemon, and is compared when the managers tell."""
    one, other = pair
    introduce(one, other)

    one.restart(["a"])
    with answering(other, "b"):
        before_it_is_told = ask(one, "a", "10.0.7.3")
        one.members({"a": member(None, "a", "10.0.7.2")}, is_complete=True)
        with pytest.raises(OSError, match=r"unreachable|No route|timed out"):
            ask(one, "a", "10.0.7.3", timeout_s=5)

    assert before_it_is_told == "b"


def test_what_a_crash_left_is_removed_at_the_start(pair: list[OverlayNode]) -> None:
    """No container, no namespace, and its VXLANs are free."""
    one, _ = pair

    one.restart([])

    assert one.do(one.env.overlay.spaces.keys()) == set()
    one.start("a", "10.0.7.2")


def test_a_namespace_that_was_lost_is_made_again(pair: list[OverlayNode]) -> None:
    """An administrator may have removed it while the daemon was down."""
    one, other = pair
    introduce(one, other)
    one.do(one.env.overlay.spaces.close(NET))

    one.restart(["a"])
    introduce(one, other)

    with answering(other, "b"):
        assert ask(one, "a", "10.0.7.3") == "b"


def test_frames_are_shown_to_no_rules_where_there_are_none(pair: list[OverlayNode]) -> None:
    """Each frame of every connection would pay for it (br_netfilter; on unless told otherwise)."""
    one, _ = pair
    settings = Path("/proc/sys/net/bridge")

    def shown() -> dict[str, str]:
        return {each.name: each.read_text() for each in settings.glob("bridge-nf-call-*")}

    found = in_namespace(Path(one.env.overlay.spaces.path(NET)), shown)

    assert {"0\n"} >= {*found.values()}


def test_what_is_anothers_is_in_the_way_and_left_alone() -> None:
    """A device with the network's id, a program on the port: said so, and nothing of ours stays.

    What is no namespace, though it has the name of one, is not in the way.
    """
    with overlay_nodes(1) as (node,):
        node.put()
        spaces = node.env.overlay.spaces
        file = Path(spaces.path(NET))
        file.parent.mkdir(exist_ok=True)
        file.touch()
        theirs = ("type", "vxlan", "id", "4097", "dstport", "4789", "local", node.address)
        node.host("ip", "link", "add", "theirs", *theirs)
        with pytest.raises(TunnelTaken, match="the VXLAN id 4097 on UDP port 4789 is in use by"):
            node.start("a", "10.0.7.2")
        node.host("ip", "link", "del", "theirs")

        with in_namespace(node.place, lambda: socket.socket(type=socket.SOCK_DGRAM)) as other:
            other.bind(("", 4789))
            with pytest.raises(TunnelPortTaken, match="UDP port 4789, that of overlay networks"):
                node.start("a", "10.0.7.2")

        assert set() == node.do(spaces.keys()) | node.do(node.env.links.namespaces())
        node.start("a", "10.0.7.2")
        assert {4097} == node.do(spaces.tunnels(NET))


def test_packets_that_nobody_should_send_change_nothing(pair: list[OverlayNode]) -> None:
    """A node with members may send what it likes: nothing is learned, and nothing breaks."""
    one, other = pair
    introduce(one, other)
    own, theirs, nobodys = mac_of("10.0.7.2"), mac_of("10.0.7.3"), "02:42:de:ad:be:ef"
    everybody = "ff:ff:ff:ff:ff:ff"
    before = learned(one)
    packets = [
        *(os.urandom(size) for size in (1, 7, 8, 9, 600)),
        tunnelled(4097, own, nobodys)[:20],
        tunnelled(9999, own, theirs),
        *(
            tunnelled(4097, target, source)
            for target in (own, theirs, nobodys, everybody)
            for source in (own, theirs, nobodys)
        ),
    ]

    with in_namespace(other.place, lambda: socket.socket(type=socket.SOCK_DGRAM)) as sender:
        for packet in packets:
            sender.sendto(packet, (one.address, 4789))

    with answering(other, "b"), answering(one, "a"):
        assert ask(one, "a", "10.0.7.3") == "b"
        assert ask(other, "b", "10.0.7.2") == "a"
    assert learned(one) == before


def test_tunnels_take_no_room_in_connection_tracking(pair: list[OverlayNode]) -> None:
    """Each connection in them would be two flows of the host, which has room for so many."""
    one, other = pair
    introduce(one, other)

    with answering(other, "b"):
        answers = {ask(one, "a", "10.0.7.3") for _ in range(5)}

    assert answers == {"b"}
    port = struct.pack(">H", 4789)
    for node in pair:
        assert not [each for each in in_namespace(node.place, _flows) if port in each]


def _flows() -> list[bytes]:
    """Return what connection tracking knows in the thread's namespace, over IPv4."""
    connection = NetlinkSocket(_NETLINK_NETFILTER)
    try:
        return [*connection.dump(_GET_FLOWS, bytes([socket.AF_INET, 0, 0, 0]))]
    finally:
        connection.close()


def learned(node: OverlayNode) -> set[str]:
    """Return all entries of a node's bridge and tunnel."""
    return {*node.space("bridge", "fdb").splitlines(), *node.space("ip", "neigh").splitlines()}


def tunnelled(vni: int, target: str, source: str) -> bytes:
    """Return the UDP payload with a frame of a local experiment between two MACs in a tunnel."""
    macs = bytes.fromhex((target + source).replace(":", ""))
    return struct.pack(">II", 0x08000000, vni << 8) + macs + b"\x88\xb5" + bytes(50)


def test_two_networks_are_apart(pair: list[OverlayNode]) -> None:
    """The same addresses behind another VXLAN are other containers."""
    one, other = pair
    introduce(one, other)
    for node in pair:
        node.do(_put_second(node))
    other.start("x", "10.0.7.3", net="net2")

    with answering(other, "x"), pytest.raises(OSError, match=r"refused"):
        ask(one, "a", "10.0.7.3")


def test_ipv6_and_ipv4_side_by_side() -> None:
    """A tunnel for each subnet; neighbour discovery is answered as ARP is."""
    with overlay_nodes(2) as (one, other):
        for node in (one, other):
            node.do(_put_dual(node))
        one.start("a", "10.0.7.2", "fd07::2")
        other.start("b", "10.0.7.3", "fd07::3")
        one.members({"b": member(other, "b", "10.0.7.3", "fd07::3")})
        other.members({"a": member(one, "a", "10.0.7.2", "fd07::2")})

        with answering(other, "b"):
            heard = ask(one, "a", "10.0.7.3"), ask(one, "a", "fd07::3")

    assert heard == ("b", "b")


def test_the_outside_is_reached_past_the_overlay() -> None:
    """A container of a network that is not internal gets a hidden endpoint on a bridge."""
    with overlay_nodes(1) as (one,):
        one.do(_put_open(one))
        one.start("a", "10.0.7.2")

        path = one.env.links.namespace_path("a")
        routes = run("nsenter", f"--net={path}", "ip", "route", "show", "default")
        box = one.env.store.sandbox("a")
        listens = one.host("cat", "/proc/sys/net/ipv6/conf/eth0/accept_ra")

    assert "dev eth1" in routes
    # The host forwards IPv6 from now on, and listens to its routers all the same.
    assert listens == "2\n"
    assert box is not None
    assert [each.network_name for each in box.endpoints if each.is_hidden] == ["docker_gwbridge"]


def test_a_network_of_this_machine_keeps_its_name() -> None:
    """One of the cluster of the same name is found by its id."""
    with overlay_nodes(1) as (one,):
        local = one.do(create(one.env, NetworkCreateRequest(Name="web_net")))
        one.put()

        assert one.do(inspect(one.env, "web_net")).Id == local.Id
        assert one.do(inspect(one.env, NET)).Scope == "swarm"


async def _put_dual(node: OverlayNode) -> None:
    await put_overlay(node.env, network(node.address, NET, *DUAL))


async def _put_second(node: OverlayNode) -> None:
    await put_overlay(
        node.env, network(node.address, "net2", ("10.0.7.0/24", 4200), name="other_net")
    )


async def _put_open(node: OverlayNode) -> None:
    await put_overlay(node.env, network(node.address, internal=False))
