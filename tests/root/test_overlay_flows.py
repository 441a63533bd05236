"""Streams through virtual addresses and published ports whose task is gone, on real kernel parts.

A task that dies without a word is one that hears nothing: nothing is answered, nothing refused.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from engine.adapters.conntrack import conntrack
from engine.core.discovery import OverlayService
from engine.core.mesh import PublishedService
from engine.networks.ingress import close_ingress, open_ingress, set_published
from engine.networks.overlay import put_overlay
from engine.networks.overlay_flows import look_at_flows
from engine.networks.sandbox import INGRESS_SANDBOX
from tests.cluster.lan import run
from tests.root.node import wait_until
from tests.root.overlay_bed import (
    NET,
    OverlayNode,
    answering,
    in_namespace,
    member,
    network,
    overlay_nodes,
)

VIP = "10.0.7.100"
PLACES = {"c": "10.0.7.2", "t1": "10.0.7.3", "t2": "10.0.7.4", "n1": "10.0.7.12"}
PORT = 80
SILENCE = "table inet silent { chain in { type filter hook input priority 0; policy drop; }; }"


@pytest.fixture
def pair() -> Iterator[list[OverlayNode]]:
    """Lend two nodes with the ingress network: c and the task t1 on the first, t2 on the other."""
    with overlay_nodes(2) as nodes:
        one, other = nodes
        for node, names in ((one, ("c", "t1")), (other, ("t2",))):
            wanted = network(node.address, internal=False, is_ingress=True)
            node.do(put_overlay(node.env, wanted))
            for name in names:
                node.start(name, PLACES[name])
            node.members(
                {
                    name: member(at if at is not node else None, name, PLACES[name])
                    for name, at in (("c", one), ("t1", one), ("t2", other), ("n1", one))
                },
                is_complete=True,
            )
        one.do(open_ingress(one.env, NET, [PLACES["n1"]]))
        lead_to(one, "t2")
        yield nodes
        one.do(close_ingress(one.env))


def lead_to(node: OverlayNode, *names: str) -> None:
    """Have the service lead to these tasks, by its address and its port."""
    targets = dict.fromkeys(names, 1)
    node.services({"s": OverlayService(names=("s",), addresses=(VIP,), targets=targets)})
    published = PublishedService(ports=(("tcp", PORT, PORT),), targets=targets)
    node.do(set_published(node.env, NET, {"s": published}))


def silence(node: OverlayNode, name: str) -> None:
    """Have a task answer nothing any more."""
    place = node.env.links.namespace_path(name)
    run("nsenter", f"--net={place}", "nft", SILENCE)


def beginning(place: Path, address: str) -> socket.socket:
    """Return a connection that is being made."""

    def begin() -> socket.socket:
        client = socket.socket()
        client.settimeout(0)
        client.connect_ex((address, PORT))
        return client

    return in_namespace(place, begin)


def heard(client: socket.socket) -> bytes | None:
    """Return what has come by now, None for nothing. Errors: OSError."""
    try:
        return client.recv(100)
    except BlockingIOError:
        return None


def is_refused(client: socket.socket) -> bool:
    """Tell whether the connection was reset."""
    try:
        heard(client)
    except ConnectionResetError:
        return True
    return False


def looking(node: OverlayNode, condition: Callable[[], bool]) -> Callable[[], bool]:
    """Return the condition, asked after a look at the flows, as a node does every second."""

    def look() -> bool:
        node.do(look_at_flows(node.env))
        return condition()

    return look


def test_connections_that_begin_leave_a_task_that_is_silent(pair: list[OverlayNode]) -> None:
    """Their client begins again and again: connection tracking would lead it there every time."""
    one, other = pair
    clients = (container(one, "c"), VIP), (other.place, one.address)
    with answering(one, "t1"), ExitStack() as stack:
        silence(other, "t2")
        begun = [stack.enter_context(beginning(*each)) for each in clients]
        for place in (container(one, "c"), container(one, INGRESS_SANDBOX)):
            wait_until(lambda at=place: leads_to(at, PLACES["t2"]), "the first packet")  # type: ignore[misc] # bound

        lead_to(one, "t1")

        for client in begun:
            wait_until(
                looking(one, lambda its=client: heard(its) == b"t1"),  # type: ignore[misc] # bound
                "the task that is left",
            )


def test_what_a_client_goes_on_sending_to_a_task_that_is_gone_is_refused(
    pair: list[OverlayNode],
) -> None:
    """It would wait a quarter of an hour; a task that is to end, and answers, is left alone."""
    one, other = pair
    clients = (container(one, "c"), VIP), (other.place, one.address)
    with answering(one, "t1"), ExitStack() as stack:
        listener = stack.enter_context(other.inside("t2", lambda: socket.create_server(("", PORT))))
        # A socket that waits for the acknowledgement of its end would keep the namespace.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        begun = [stack.enter_context(beginning(*each)) for each in clients]
        served = [stack.enter_context(listener.accept()[0]) for _ in begun]
        lead_to(one, "t1")
        for client in begun:
            client.send(b"?")
        for task in served:
            assert task.recv(100) == b"?"
            task.send(b"still here")
        for client in begun:
            wait_until(looking(one, lambda its=client: heard(its) == b"still here"), "the answer")  # type: ignore[misc] # bound

        silence(other, "t2")
        for client in begun:
            client.send(b"!")
        one.members({"t2": None})

        for client in begun:
            wait_until(looking(one, lambda its=client: is_refused(its)), "the refusal")  # type: ignore[misc] # bound


def container(node: OverlayNode, name: str) -> Path:
    """Return where a container's network is."""
    return Path(node.env.links.namespace_path(name))


def leads_to(place: Path, address: str) -> bool:
    """Tell whether a flow in a namespace is led to an address."""

    def look() -> bool:
        with conntrack() as table:
            return any(table.flows([address]))

    return in_namespace(place, look)
