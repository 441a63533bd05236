"""What the doctor says of overlay networks: every difference, and nothing of a sound node."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import count

import pytest

from engine.core.discovery import OverlayService
from engine.core.sandbox import mac_of
from engine.networks.overlay import set_services
from engine.networks.overlay_examine import examine
from tests.cluster.lan import run
from tests.root.overlay_bed import (
    NET,
    OverlayNode,
    answering,
    ask,
    introduce,
    member,
    two_nodes,
)


@pytest.fixture
def pair() -> Iterator[list[OverlayNode]]:
    """Lend two nodes that know the network, with containers a on one and b on the other."""
    with two_nodes() as nodes:
        yield nodes


def test_the_doctor_finds_what_was_changed_behind_the_daemon(pair: list[OverlayNode]) -> None:
    """A difference is a line; a sound node has none."""
    one, other = pair
    introduce(one, other)
    service = OverlayService(names=("web",), addresses=("10.0.7.100",), targets={"b": 1})
    one.services({"web": service}, is_complete=True)
    sound = one.do(examine(one.env))

    one.space("bridge", "fdb", "del", mac_of("10.0.7.3"), "dev", "vx4097", "self")
    one.space("ip", "neigh", "add", "10.0.7.9", "lladdr", mac_of("10.0.7.9"), "dev", "vx4097")
    path = one.env.links.namespace_path("a")
    run("nsenter", f"--net={path}", "nft", "flush", "map", "inet", "skep-vip", "slots4")
    one.host("nft", "flush", "set", "inet", "skep-tunnels", "senders4")
    one.start("c", "10.0.7.4")
    link = next(each for each in one.env.store.sandboxes_on(NET) if each.container_id == "c")
    one.space("ip", "link", "del", link.endpoints[0].link)
    run("nsenter", f"--net={one.env.links.namespace_path('c')}", "nft", "delete table ip skep-dns")
    found = one.do(examine(one.env))

    assert sound == []
    assert found == [
        "network web_net: the link of container c is missing",
        f"network web_net: forwarding of {mac_of('10.0.7.3')} on 4097 should lead to "
        f"{other.address}",
        "network web_net: neighbour 10.0.7.9 on 4097 is too much",
        f"who may send into tunnels: senders4 4789 . 4097 . {other.address} is missing",
        "container a: 10.0.7.100 leads to nobody, should lead to 10.0.7.3 (1)",
        "container c: no names are answered over UDP",
        "container c: no names are answered over TCP",
    ]
    one.restart(["a", "c"])
    introduce(one, other)
    with answering(other, "b"):
        other.members({"c": member(one, "c", "10.0.7.4")})
        assert ask(one, "c", "10.0.7.3") == "b"


def test_before_the_managers_tell_nothing_is_a_difference_but_that(pair: list[OverlayNode]) -> None:
    """What is in the kernel serves on after a start; it must not look as if it were wrong."""
    one, other = pair
    introduce(one, other)
    service = OverlayService(names=("web",), addresses=("10.0.7.100",), targets={"b": 1})
    one.services({"web": service}, is_complete=True)

    one.restart(["a"])

    why = "the managers have told nothing of it since the daemon's start"
    assert one.do(examine(one.env)) == [f"network web_net: {why}"]


def test_the_doctor_asks_as_containers_do(pair: list[OverlayNode]) -> None:
    """Sockets that are gone are no rule's matter."""
    one, other = pair
    introduce(one, other)

    async def close() -> None:
        one.env.name_servers.close("a")

    one.do(close())

    assert one.do(examine(one.env)) == [
        f"container a: no names are answered over {way}" for way in ("UDP", "TCP")
    ]


def test_the_doctor_takes_no_change_under_way_for_a_difference(pair: list[OverlayNode]) -> None:
    """It looks at a node at work, on which services come and go."""
    one, other = pair
    introduce(one, other)

    assert one.do(_looked_at_while_services_come(one)) == []


async def _looked_at_while_services_come(node: OverlayNode) -> list[str]:
    async def come() -> None:
        for number in count():
            address = f"10.0.7.{100 + number % 100}"
            service = OverlayService(names=(f"s{number}",), addresses=(address,), targets={"b": 1})
            gone = f"s{number - 3}"
            await set_services(node.env, NET, {f"s{number}": service, gone: None})

    coming = asyncio.ensure_future(come())
    try:
        return [line for _ in range(20) for line in await examine(node.env)]
    finally:
        coming.cancel()
