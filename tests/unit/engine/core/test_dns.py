"""Whom names mean, and what goes outside."""

from __future__ import annotations

import struct
from ipaddress import ip_address

import pytest

from engine.core.dns import FORWARD, Directory, Entry, Forward, View, answer
from engine.core.dns_message import AAAA, PTR, A
from tests.unit.engine.core.test_dns_message import ask

VIEW = View(networks=(("n1", "front_net"), ("n2", "back.net")), subnets=("10.1.0.0/24",))
MX, HTTPS = 15, 65


@pytest.fixture
def directory() -> Directory:
    """Return web and db on the first network, db on the second, alone on a third."""
    made = Directory()
    made.put("c1", {"n1": Entry(("Web", "www", "c1c1"), "10.1.0.2", "fd00::2")})
    made.put("c2", {"n1": Entry(("db", "www"), "10.1.0.3"), "n2": Entry(("db",), "10.2.0.3")})
    made.put("c3", {"n3": Entry(("alone",), "10.3.0.2")})
    return made


def resolve(
    directory: Directory, name: str, kind: int = A, *, view: View = VIEW, turn: int = 0
) -> list[str] | int | Forward | None:
    """Return the addresses answered, or the result code, or FORWARD."""
    packet = answer(ask(name, kind), directory, view, turn)
    if not isinstance(packet, bytes):
        return packet
    if packet[3] & 15:
        return packet[3] & 15
    length = {A: 4, AAAA: 16}.get(kind, 0)
    number = struct.unpack_from("!H", packet, 6)[0]
    rows = packet[len(packet) - number * (12 + length) :] if length else b""
    size = 12 + length
    return [str(ip_address(rows[i + 12 : i + size])) for i in range(0, len(rows), size)]


@pytest.mark.parametrize("name", ["web", "WEB", "c1c1", "web.front_net", "Web.Front_Net"])
def test_names_aliases_short_ids_with_and_without_the_network(
    directory: Directory, name: str
) -> None:
    """As in the reference."""
    assert resolve(directory, name) == ["10.1.0.2"]
    assert resolve(directory, name, AAAA) == ["fd00::2"]


def test_the_first_network_that_knows_a_name_answers(directory: Directory) -> None:
    """And the network's name chooses another, dots in it included."""
    assert resolve(directory, "db") == ["10.1.0.3"]
    assert resolve(directory, "db.back.net") == ["10.2.0.3"]


def test_owners_of_a_name_take_turns(directory: Directory) -> None:
    """Clients take the first."""
    assert resolve(directory, "www", turn=0) == ["10.1.0.2", "10.1.0.3"]
    assert resolve(directory, "www", turn=1) == ["10.1.0.3", "10.1.0.2"]


def test_networks_that_are_not_shared_are_unknown(directory: Directory) -> None:
    """A name there is like any other of the outside."""
    assert resolve(directory, "alone") is FORWARD


@pytest.mark.parametrize("kind", [AAAA, MX, HTTPS])
def test_a_name_of_ours_is_never_asked_outside(directory: Directory, kind: int) -> None:
    """Neither for a family that it lacks nor for other types: the answer is empty."""
    assert resolve(directory, "db", kind) == []


def test_links_are_names_of_one_container_alone(directory: Directory) -> None:
    """`--link db:sql` on a user-defined network."""
    view = View(networks=VIEW.networks, links={"sql": "db"})

    assert resolve(directory, "sql", view=view) == ["10.1.0.3"]
    assert resolve(directory, "sql") is FORWARD


def test_pointers_name_container_and_network(directory: Directory) -> None:
    """For both families."""
    for name in ("2.0.1.10.in-addr.arpa", "2." + "0." * 28 + "0.d.f.ip6.arpa"):
        packet = answer(ask(name, PTR), directory, VIEW, 0)
        assert isinstance(packet, bytes)
        assert packet.endswith(b"\x03Web\x09front_net\0")


@pytest.mark.parametrize("name", ["99.0.1.10.in-addr.arpa"])
def test_pointers_of_our_subnets_are_never_asked_outside(directory: Directory, name: str) -> None:
    """The outside knows nothing of them."""
    assert resolve(directory, name, PTR) == 3
    assert resolve(directory, "1.1.1.1.in-addr.arpa", PTR) is FORWARD


def test_a_name_under_our_network_is_never_asked_outside(directory: Directory) -> None:
    """Unless the network's name may be a top-level domain, such as dev."""
    view = View(networks=(("n1", "front_net"), ("n2", "dev")))

    assert resolve(directory, "gone.front_net", view=view) == 3
    assert resolve(directory, "example.dev", view=view) is FORWARD


def test_internal_networks_ask_nobody(directory: Directory) -> None:
    """Names carry data out of them otherwise (CVE-2024-29018)."""
    view = View(networks=VIEW.networks, may_ask_outside=False)

    assert resolve(directory, "secret.example.org", view=view) == 2
    assert resolve(directory, "web", view=view) == ["10.1.0.2"]


def test_other_operations_and_classes_are_refused(directory: Directory) -> None:
    """Updates, notifications, CHAOS: nothing that a container may do."""
    update = ask("web", flags=0x2800)
    chaos = ask("version.bind")[:-2] + b"\0\3"

    for packet, rcode in ((update, 4), (chaos, 5)):
        reply = answer(packet, directory, VIEW, 0)
        assert isinstance(reply, bytes)
        assert reply[3] & 15 == rcode


def test_who_left_is_forgotten_whole(directory: Directory) -> None:
    """Names, aliases shared with others, and addresses."""
    directory.drop("c1")

    assert resolve(directory, "web") is FORWARD
    assert resolve(directory, "www") == ["10.1.0.3"]
    assert resolve(directory, "2.0.1.10.in-addr.arpa", PTR) == 3


def test_new_entries_replace_the_old(directory: Directory) -> None:
    """A rename, or another network."""
    directory.put("c1", {"n1": Entry(("shop",), "10.1.0.2")})

    assert resolve(directory, "web") is FORWARD
    assert resolve(directory, "shop") == ["10.1.0.2"]
