"""Addresses are given once, and come back."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.addresses import (
    AddressOutside,
    AddressTaken,
    PoolsExhausted,
    Subnet,
    SubnetFull,
    first_address,
    free_subnet,
    overlaps,
)
from api.errors import InvalidArgument


def test_the_lowest_free_address_is_given() -> None:
    """The gateway is not."""
    subnet = Subnet("172.17.0.0/16", reserved=["172.17.0.1"])

    assert [subnet.allocate() for _ in range(3)] == ["172.17.0.2", "172.17.0.3", "172.17.0.4"]

    subnet.release("172.17.0.3")
    assert subnet.allocate() == "172.17.0.3"


def test_a_full_subnet_says_so() -> None:
    """A /30 has one address beside the gateway."""
    subnet = Subnet("10.0.0.0/30", reserved=["10.0.0.1"])
    subnet.allocate()

    with pytest.raises(SubnetFull, match="no available IPv4 addresses"):
        subnet.allocate()


def test_the_gateway_is_never_released() -> None:
    """A record that names it by mistake does not free it."""
    subnet = Subnet("10.0.0.0/29", reserved=["10.0.0.1"])

    subnet.release("10.0.0.1")

    assert subnet.allocate() == "10.0.0.2"


def test_an_ip_range_narrows_what_is_picked_and_not_what_may_be_claimed() -> None:
    """Engine API, IPAMConfig."""
    subnet = Subnet("10.0.0.0/16", ip_range="10.0.5.0/24", reserved=["10.0.0.1"])

    assert subnet.allocate() == "10.0.5.0"
    assert subnet.claim("10.0.9.9") == "10.0.9.9"


@pytest.mark.parametrize("address", ["10.0.0.0", "10.0.0.255", "10.0.1.1"])
def test_an_address_outside_cannot_be_claimed(address: str) -> None:
    """Network and broadcast address included."""
    with pytest.raises(AddressOutside):
        Subnet("10.0.0.0/24").claim(address)


@pytest.mark.parametrize("address", ["", "x", "10.0.0", "fd00::1", "10.0.0.256", "10.0.0.1/24"])
def test_a_malformed_address_is_refused(address: str) -> None:
    """With the user's text."""
    with pytest.raises(InvalidArgument, match="invalid IPv4 address"):
        Subnet("10.0.0.0/24").claim(address)


def test_a_huge_subnet_costs_nothing() -> None:
    """IPv6."""
    subnet = Subnet("fd00::/64", reserved=["fd00::1"])

    assert subnet.allocate() == "fd00::2"


@given(
    st.integers(24, 30),
    st.lists(st.tuples(st.booleans(), st.integers(0, 300)), max_size=200),
)
def test_no_address_is_given_twice(length: int, steps: list[tuple[bool, int]]) -> None:
    """Whatever the order of allocation, claim and release."""
    network = ip_network(f"10.1.0.0/{length}")
    subnet = Subnet(str(network), reserved=[first_address(str(network))])
    held: list[str] = []
    for is_taking, number in steps:
        if is_taking and number % 3:
            try:
                address = subnet.allocate()
            except SubnetFull:
                assert len(held) == network.num_addresses - 3
                continue
        elif is_taking:
            try:
                address = subnet.claim(str(network[number % network.num_addresses]))
            except (AddressTaken, AddressOutside):
                continue
        else:
            if held:
                subnet.release(held.pop(number % len(held)))
            continue
        assert address not in held
        assert ip_address(address) in network
        held.append(address)


def test_the_first_pool_that_overlaps_nothing_is_chosen() -> None:
    """A bridge of another engine at 172.17 moves ours to 172.18."""
    pools = [("172.17.0.0/16", 16), ("172.18.0.0/16", 16), ("192.168.0.0/16", 20)]

    assert free_subnet(pools, ["172.17.0.0/16", "10.0.0.0/8"]) == "172.18.0.0/16"
    assert free_subnet(pools, ["172.16.0.0/12", "192.168.1.0/24"]) == "192.168.16.0/20"
    assert free_subnet(pools, [], after="172.18.0.0/16") == "192.168.0.0/20"
    assert free_subnet(pools, ["192.168.240.0/20"], after="192.168.224.0/20") == "172.17.0.0/16"
    assert free_subnet(pools, [], after="10.0.0.0/24") == "172.17.0.0/16"
    with pytest.raises(PoolsExhausted):
        free_subnet(pools, ["0.0.0.0/1", "128.0.0.0/1"])


def test_overlap_needs_the_same_family() -> None:
    """Also when the numbers would agree."""
    assert overlaps("10.0.0.0/8", ["10.1.2.3/32"])
    assert not overlaps("::/0", ["0.0.0.0/0"])
