"""Ports that services publish on all nodes, on real kernel parts: datagrams, SCTP, IPv6."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path

import pytest

from engine.core.discovery import OverlayService
from engine.core.mesh import PublishedService
from engine.networks.ingress import SANDBOX_TABLE, close_ingress, open_ingress, set_published
from engine.networks.overlay import put_overlay
from engine.networks.overlay_examine import examine
from engine.networks.overlay_flows import age_flows
from engine.networks.sandbox import INGRESS_SANDBOX
from tests.cluster.lan import run
from tests.root.overlay_bed import NET, OverlayNode, in_namespace, member, network, overlay_nodes
from tests.root.sctp import hears_init, raw_socket, send_init

DUAL = (("10.0.7.0/24", 4097), ("fd07::/64", 4098))
PORT = 7000
VIP = "10.0.7.100"

Place = tuple[str, str]


@pytest.fixture
def pair() -> Iterator[list[OverlayNode]]:
    """Lend two nodes with the ingress network: the task t1 on the first, t2 on the other."""
    with overlay_nodes(2) as nodes:
        one, other = nodes
        for number, node in enumerate(nodes, start=1):
            wanted = network(node.address, NET, *DUAL, internal=False, is_ingress=True)
            node.do(put_overlay(node.env, wanted))
            node.start(f"t{number}", *both(number))
        for node, first, second in ((one, None, other), (other, one, None)):
            places = {"t1": first, "t2": second, "n1": first, "n2": second}
            node.members(
                {
                    name: member(at, name, *both(number))
                    for number, (name, at) in zip((1, 2, 11, 12), places.items(), strict=True)
                },
                is_complete=True,
            )
        for number, node in enumerate(nodes, start=11):
            node.do(open_ingress(node.env, NET, both(number)))
        yield nodes
        for node in nodes:
            node.do(close_ingress(node.env))


def both(number: int) -> Place:
    """Return a member's addresses on the network."""
    return f"10.0.7.{number + 1}", f"fd07::{number + 1:x}"


def publish(node: OverlayNode, protocol: str, targets: Mapping[str, int]) -> None:
    """Have a node answer for a service with these targets."""
    service = PublishedService(ports=((protocol, PORT, PORT),), targets=targets)
    node.do(set_published(node.env, NET, {"s": service}))


@contextmanager
def listening(node: OverlayNode, name: str) -> Iterator[Callable[[], tuple[bytes, str]]]:
    """Lend a function that waits for the next datagram to a task, and answers it; and from whom."""

    def bind() -> socket.socket:
        bound = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        bound.bind(("::", PORT))
        bound.settimeout(3)
        return bound

    with node.inside(name, bind) as bound:

        def heard() -> tuple[bytes, str]:
            payload, sender = bound.recvfrom(100)
            bound.sendto(name.encode(), sender)
            source = ip_address(sender[0])
            return payload, str(getattr(source, "ipv4_mapped", None) or source)

        yield heard


@pytest.mark.parametrize("family", [4, 6])
def test_datagrams_go_on_to_another_task_when_theirs_is_gone(
    pair: list[OverlayNode], family: int
) -> None:
    """One socket sends all along: connection tracking would keep it where it was for ever."""
    one, other = pair
    where = one.address if family == 4 else one.address6
    client = in_namespace(other.place, lambda: _sender(family))
    publish(one, "udp", {})
    with client, listening(one, "t1") as first, listening(other, "t2") as second:
        client.connect((where, PORT))
        client.send(b"too early")
        with pytest.raises(ConnectionRefusedError):
            client.recv(100)

        publish(one, "udp", {"t1": 1})
        client.send(b"to the node's own")
        assert first() == (b"to the node's own", other.address if family == 4 else other.address6)
        assert client.recv(100) == b"t1"

        publish(one, "udp", {"t2": 1})
        one.stop("t1")
        client.send(b"to the other's")
        assert second() == (b"to the other's", both(11)[family == 6])
        assert client.recv(100) == b"t2"

        publish(one, "udp", {})
        client.send(b"one more, for it has its grace period")
        assert second()[0].startswith(b"one more")
        assert client.recv(100) == b"t2"
        one.start("t1", *both(1))
        with listening(one, "t1") as again:
            publish(one, "udp", {"t1": 1})
            for _ in range(2):
                one.do(age_flows(one.env))
            client.send(b"the time is over")
            assert again()[0] == b"the time is over"


def test_ports_are_answered_after_a_boot_and_the_doctor_knows_when_they_are_not(
    pair: list[OverlayNode],
) -> None:
    """The sandbox on record is gone with the boot, though its file may be there."""
    one, other = pair

    one.boot()
    one.members({"t2": member(other, "t2", *both(2)), "n1": member(None, "n1", *both(11))})
    one.services({}, is_complete=True)
    without = one.do(examine(one.env))
    one.do(open_ingress(one.env, NET, both(11)))
    publish(one, "udp", {"t2": 1})

    client = in_namespace(other.place, lambda: _sender(4))
    with client, listening(other, "t2") as heard:
        client.sendto(b"hello", (one.address, PORT))
        assert heard() == (b"hello", both(11)[0])
    assert without == ["network web_net: the node's sandbox on it is missing"]
    assert one.do(examine(one.env)) == []
    path = one.env.links.namespace_path(INGRESS_SANDBOX)
    run("nsenter", f"--net={path}", "nft", "flush", "map", "inet", SANDBOX_TABLE, "slots4")
    assert one.do(examine(one.env)) == [
        f"published in the ingress sandbox: udp . {PORT} leads to fd07::3 . {PORT} (1), "
        f"should lead to 10.0.7.3 . {PORT} (1), fd07::3 . {PORT} (1)"
    ]
    one.do(close_ingress(one.env))
    one.do(open_ingress(one.env, NET, both(11)))
    publish(one, "udp", {"t2": 1})
    one.host("nft", "flush", "set", "inet", "skep-ingress", "known")
    path = one.env.links.namespace_path(INGRESS_SANDBOX)
    element = f"{{ tcp . {PORT} }}"
    run(
        "nsenter", f"--net={path}", "nft", "add", "element", "inet", SANDBOX_TABLE, "known", element
    )
    assert one.do(examine(one.env)) == [
        f"known as published on the host: udp . {PORT} is missing",
        f"known as published in the ingress sandbox: tcp . {PORT} is too much",
    ]


def test_sctp_is_led_to_tasks_here_and_there(pair: list[OverlayNode]) -> None:
    """And to a virtual address, too."""
    one, other = pair

    for source, (node, name) in enumerate(((one, "t1"), (other, "t2")), start=5000):
        publish(one, "sctp", {name: 1})
        one.services(
            {"s": OverlayService(names=("s",), addresses=(VIP,), targets={name: 1})},
            is_complete=True,
        )
        for place, address in ((other.place, one.address), (inside(one, "t1"), VIP)):
            with node.inside(name, raw_socket) as heard, in_namespace(place, raw_socket) as client:
                send_init(client, address, PORT, source)
                assert hears_init(heard, PORT)


def inside(node: OverlayNode, name: str) -> Path:
    """Return where a task's network namespace is."""
    return Path(node.env.links.namespace_path(name))


def _sender(family: int) -> socket.socket:
    sender = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
    sender.bind(("", 5555))
    sender.settimeout(3)
    return sender
