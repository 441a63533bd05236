"""Services on overlay networks: virtual addresses, their spread, drained targets, names."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterator

import pytest

from engine.core.discovery import OverlayService, TargetsChange
from engine.networks.overlay import set_targets
from tests.root.name_client import addresses_inside
from tests.root.overlay_bed import (
    NET,
    OverlayNode,
    answering,
    ask,
    datagrams,
    member,
    overlay_nodes,
)

VIP = "10.0.7.100"


@pytest.fixture
def pair() -> Iterator[list[OverlayNode]]:
    """Lend two nodes: the client c and the task t1 on the first, t2 on the second."""
    with overlay_nodes(2) as nodes:
        for node in nodes:
            node.put()
        one, other = nodes
        one.start("c", "10.0.7.2")
        one.start("t1", "10.0.7.3")
        other.start("t2", "10.0.7.4")
        for node, first, second in ((one, None, other), (other, one, None)):
            node.members(
                {
                    "c": member(first, "c", "10.0.7.2"),
                    "t1": member(first, "web.1.t1", "10.0.7.3"),
                    "t2": member(second, "web.2.t2", "10.0.7.4"),
                },
                is_complete=True,
            )
        yield nodes


def web(**targets: int) -> dict[str, OverlayService | None]:
    """Return the service with these targets."""
    return {"web": OverlayService(names=("web", "www"), addresses=(VIP,), targets=targets)}


def names(node: OverlayNode, name: str) -> list[str]:
    """Return what the container c hears of a name."""
    return addresses_inside(node.env.links.namespace_path("c"), name)


def test_new_connections_are_spread_over_tasks_of_both_nodes(pair: list[OverlayNode]) -> None:
    """One address, any task."""
    one, other = pair
    one.services(web(t1=1, t2=1), is_complete=True)

    with answering(one, "t1"), answering(other, "t2"):
        heard = Counter(ask(one, "c", VIP) for _ in range(60))

    assert set(heard) == {"t1", "t2"}
    assert min(heard.values()) >= 12


def test_targets_come_and_go_by_themselves(pair: list[OverlayNode]) -> None:
    """Without the service being told anew: names and new connections follow."""
    one, other = pair
    one.services(web(t1=1), is_complete=True)

    def change(*removed: str, **targets: int) -> None:
        changes = {"web": TargetsChange(targets=targets, removed=removed)}
        one.do(set_targets(one.env, NET, changes))

    with answering(one, "t1"), answering(other, "t2"):
        change(t2=1)
        both = {ask(one, "c", VIP) for _ in range(30)}, {*names(one, "tasks.web")}
        change("t1")
        left = {ask(one, "c", VIP) for _ in range(10)}, {*names(one, "tasks.web")}
        # Its member is gone already, whatever the order in which that is told.
        one.members({"t2": None})
        change("t2", t1=1)
        last = {ask(one, "c", VIP) for _ in range(10)}, {*names(one, "tasks.web")}

    assert both == ({"t1", "t2"}, {"10.0.7.3", "10.0.7.4"})
    assert left == ({"t2"}, {"10.0.7.4"})
    assert last == ({"t1"}, {"10.0.7.3"})


def test_weights_are_obeyed(pair: list[OverlayNode]) -> None:
    """Progressive delivery gives a new version little at first."""
    one, other = pair
    one.services(web(t1=9, t2=1), is_complete=True)

    with answering(one, "t1"), answering(other, "t2"):
        heard = Counter(ask(one, "c", VIP) for _ in range(60))

    assert heard["t1"] > 3 * heard["t2"]


def test_a_drained_task_keeps_what_it_has_and_gets_nothing_new(pair: list[OverlayNode]) -> None:
    """Connection tracking knows the connection; the maps are for new ones only."""
    one, other = pair
    one.services(web(t2=1), is_complete=True)

    with answering(one, "t1"), answering(other, "t2"):
        old = one.inside("c", lambda: socket.create_connection((VIP, 80), 3))
        with old:
            assert old.recv(100) == b"t2"
            one.services(web(t1=1))
            fresh = {ask(one, "c", VIP) for _ in range(10)}
            old.sendall(b"still there?")
            assert old.recv(100) == b"t2:still there?"

    assert fresh == {"t1"}


def test_a_task_reaches_its_own_service(pair: list[OverlayNode]) -> None:
    """Also where it is itself the one that answers."""
    one, _ = pair
    one.services(web(t1=1), is_complete=True)

    with answering(one, "t1"):
        assert ask(one, "t1", VIP) == "t1"


def test_a_service_without_tasks_refuses_at_once(pair: list[OverlayNode]) -> None:
    """A client need not wait for a time-out to know."""
    one, _ = pair
    one.services(web(), is_complete=True)

    with pytest.raises(ConnectionRefusedError):
        ask(one, "c", VIP)


def test_a_container_that_starts_later_has_the_services(pair: list[OverlayNode]) -> None:
    """What was told before counts for it too."""
    _, other = pair
    other.services(web(t2=1), is_complete=True)
    other.start("late", "10.0.7.9")

    with answering(other, "t2"):
        assert ask(other, "late", VIP) == "t2"


def test_balancing_outlives_the_daemon(pair: list[OverlayNode]) -> None:
    """After the restart the old table serves until all is told anew."""
    one, other = pair
    one.services(web(t2=1), is_complete=True)

    one.restart(["c", "t1"])
    with answering(one, "t1"), answering(other, "t2"):
        before = ask(one, "c", VIP)
        one.members(
            {
                "c": member(None, "c", "10.0.7.2"),
                "t1": member(None, "web.1.t1", "10.0.7.3"),
                "t2": member(other, "web.2.t2", "10.0.7.4"),
            },
            is_complete=True,
        )
        one.services(web(t1=1), is_complete=True)
        after = {ask(one, "c", VIP) for _ in range(6)}

    assert (before, after) == ("t2", {"t1"})


def test_names_lead_to_the_service_and_to_its_tasks(pair: list[OverlayNode]) -> None:
    """The forms that Docker answers to."""
    one, _ = pair
    one.services(web(t1=1, t2=1), is_complete=True)

    def found(name: str) -> set[str]:
        return set(names(one, name))

    assert found("web") == found("www") == found("web.web_net") == {VIP}
    assert found("tasks.web") == {"10.0.7.3", "10.0.7.4"}
    assert found("web.2.t2") == {"10.0.7.4"}
    one.services(web(t1=1))
    assert found("tasks.web") == {"10.0.7.3"}
    one.services({"web": None})
    assert found("web") == found("tasks.web") == set()


def test_the_longest_names_are_found(pair: list[OverlayNode]) -> None:
    """Of a service, 63 characters, and of a task, which has the ids of its node and its own."""
    one, _ = pair
    long = "s" * 63
    task = f"{long}.{'n' * 25}.{'t' * 25}"
    one.members({"t1": member(None, task, "10.0.7.3")})
    service = OverlayService(names=(long,), addresses=(VIP,), targets={"t1": 1})
    one.services({"long": service}, is_complete=True)

    assert names(one, long) == names(one, f"{long}.web_net") == [VIP]
    assert names(one, f"tasks.{long}.web_net") == names(one, task) == ["10.0.7.3"]


def test_without_a_virtual_address_the_tasks_take_turns(pair: list[OverlayNode]) -> None:
    """Endpoint mode dnsrr."""
    one, _ = pair
    service = OverlayService(names=("web",), targets={"t1": 1, "t2": 1})
    one.services({"web": service}, is_complete=True)

    answers = [names(one, "web") for _ in range(4)]

    assert {frozenset(each) for each in answers} == {frozenset({"10.0.7.3", "10.0.7.4"})}
    assert len({each[0] for each in answers}) == 2


def test_datagrams_leave_a_task_that_is_gone(pair: list[OverlayNode]) -> None:
    """They have no end that connection tracking could see: one socket goes on sending for ever."""
    one, other = pair
    one.services(web(t2=1), is_complete=True)
    with datagrams(other, "t2") as at_first, datagrams(one, "t1") as later:
        sender = one.inside("c", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        with sender:
            sender.bind(("", 5555))
            sender.sendto(b"first", (VIP, 7000))
            first = at_first(3)
            one.services(web(t1=1))
            one.members({"t2": None})
            sender.sendto(b"second", (VIP, 7000))

            assert (first, later(3)) == (b"first", b"second")
