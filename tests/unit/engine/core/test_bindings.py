"""Ports to publish, in the words of the API."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import InvalidArgument
from api.types.networks import PortBinding
from engine.core.bindings import (
    Wanted,
    candidates,
    host_addresses,
    parse_host_port,
    parse_port,
    wanted_ports,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("80/tcp", (80, "tcp")),
        ("53/udp", (53, "udp")),
        ("80", (80, "tcp")),
        ("9/SCTP", (9, "sctp")),
    ],
)
def test_a_port_is_read(text: str, expected: tuple[int, str]) -> None:
    """Without a protocol it is tcp."""
    assert expected == parse_port(text)


@pytest.mark.parametrize(
    "text", ["", "/tcp", "0/tcp", "65536/tcp", "80/icmp", "x", "-1", "\uff18\uff10", "8e1"]
)
def test_what_is_no_port_is_refused(text: str) -> None:
    """With the user's text."""
    with pytest.raises(InvalidArgument, match="invalid port specification"):
        parse_port(text)


@given(st.text(max_size=12))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nothing else can happen."""
    try:
        first, last = parse_host_port(text)
    except InvalidArgument:
        return
    assert 0 <= first <= last <= 65535


def test_a_range_of_host_ports_is_tried_in_order() -> None:
    """The first free one is taken."""
    (wish,) = wanted_ports({"80/tcp": [PortBinding("", "8000-8002")]}, [], publish_all=False)

    assert [8000, 8001, 8002] == list(candidates(wish, (1, 2), 1))


def test_ephemeral_ports_go_round_once() -> None:
    """From where the last search ended."""
    assert [12, 13, 10, 11] == list(candidates(Wanted(80, "tcp"), (10, 13), 12))


def test_publish_all_gives_the_exposed_ports_a_port_each() -> None:
    """Those with bindings of their own keep them."""
    wanted = wanted_ports(
        {"80/tcp": [PortBinding("", "8080")], "81/tcp": None},
        ["80/tcp", "53/udp"],
        publish_all=True,
    )

    assert wanted == [Wanted(80, "tcp", "", 8080, 8080), Wanted(53, "udp"), Wanted(81, "tcp")]


def test_fixed_ports_come_before_chosen_ones() -> None:
    """So that a choice never takes what another wish names."""
    wanted = wanted_ports(
        {"1/tcp": [PortBinding()], "2/tcp": [PortBinding("", "9000-9001")],
         "3/tcp": [PortBinding("", "9000")]}, [], publish_all=False,
    )  # fmt: skip

    assert [3, 2, 1] == [each.port for each in wanted]


@pytest.mark.parametrize(
    ("asked", "default", "ipv6", "expected"),
    [
        ("", "", False, ["0.0.0.0"]),
        ("", "", True, ["0.0.0.0", "::"]),
        ("127.0.0.1", "", True, ["127.0.0.1"]),
        ("", "10.0.0.1", True, ["10.0.0.1"]),
        ("::1", "", False, []),
    ],
)
def test_host_addresses_fit_the_containers_families(
    asked: str, default: str, ipv6: bool, expected: list[str]
) -> None:
    """What cannot be translated is not promised."""
    assert expected == host_addresses(asked, default, ipv4=True, ipv6=ipv6)


def test_a_bad_host_address_is_refused() -> None:
    """Host names are none."""
    with pytest.raises(InvalidArgument, match="invalid IP address: localhost"):
        wanted_ports({"80/tcp": [PortBinding("localhost", "1")]}, [], publish_all=False)
