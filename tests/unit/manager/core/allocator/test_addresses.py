"""Addresses of the cluster's networks: nobody has another's, and none is given again at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.addresses import AddressTaken
from api.types.cluster_networks import ClusterIPAMConfig, IPAMOptions, NetworkSpec
from manager.core.allocator.addresses import Addresses, AddressesExhausted, NetworkGone
from manager.core.objects.network import Network


def network(*subnets: str, gateway: str = "") -> Network:
    """Return a network with these subnets."""
    configs = [ClusterIPAMConfig(Subnet=each, Gateway=gateway) for each in subnets]
    return Network(id="n", spec=NetworkSpec(Name="net"), ipam=IPAMOptions(Configs=configs))


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.booleans()), max_size=40))
def test_no_two_owners_share_an_address(steps: list[tuple[str, bool]]) -> None:
    """Whatever comes and goes."""
    addresses = Addresses([network("10.0.1.0/29", gateway="10.0.1.1")])
    owned: dict[str, str] = {}

    for owner, is_wanted in steps:
        if is_wanted:
            try:
                (owned[owner],) = addresses.give(owner, "n")
            except AddressesExhausted:
                assert len(owned) == 5
        else:
            addresses.release(owner)
            owned.pop(owner, None)
        assert len(set(owned.values())) == len(owned)
        assert "10.0.1.1/29" not in owned.values()


def test_a_free_address_is_given_again_after_all_others() -> None:
    """It may still be in the tables of a node that was not reached."""
    addresses = Addresses([network("10.0.1.0/29", gateway="10.0.1.1")])

    addresses.give("a", "n")
    addresses.release("a")

    assert addresses.give("b", "n") == ["10.0.1.3/29"]


def test_both_families_and_a_second_subnet_when_the_first_is_full() -> None:
    """As many subnets of a family as there are count as one pool."""
    addresses = Addresses([network("10.0.1.0/30", "10.0.2.0/30", "fd00::/64")])

    found = [addresses.give(owner, "n") for owner in "abc"]

    assert [each[0] for each in found] == ["10.0.1.1/30", "10.0.1.2/30", "10.0.2.1/30"]
    assert [each[1] for each in found] == ["fd00::1/64", "fd00::2/64", "fd00::3/64"]


def test_an_owner_keeps_what_it_has() -> None:
    """Also when it asks again, as after a change of the leader."""
    addresses = Addresses([network("10.0.1.0/24")])
    addresses.take("a", {"n": ["10.0.1.77/24"]})

    assert addresses.give("a", "n") == ["10.0.1.77/24"]
    with pytest.raises(NetworkGone):
        addresses.give("a", "other")


def test_an_address_that_was_asked_for_is_given_once() -> None:
    """In or out of the range that others are chosen from; the gateway is nobody's."""
    addresses = Addresses([network("10.0.1.0/24", gateway="10.0.1.1")])

    assert addresses.give("a", "n", ["10.0.1.77"]) == ["10.0.1.77/24"]
    for taken in ("10.0.1.77", "10.0.1.1"):
        with pytest.raises(AddressTaken):
            addresses.give("b", "n", [taken])
    addresses.release("a")
    assert addresses.give("b", "n", ["10.0.1.77"]) == ["10.0.1.77/24"]
