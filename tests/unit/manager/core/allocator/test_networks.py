"""What a new network is given: subnets that overlap nothing, and VXLAN ids of its own."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from msgspec.structs import replace

from api.addresses import PoolsExhausted
from api.types.cluster_networks import ClusterIPAMConfig, IPAMOptions, NetworkSpec
from api.types.objects import Driver
from manager.core.allocator import vnis
from manager.core.allocator.networks import SubnetOverlaps, given, noted, subnets_of
from manager.core.allocator.vnis import OPTION, VnisExhausted, VniTaken, give_vnis, vnis_of
from manager.core.objects.cluster import Cluster
from manager.core.objects.network import Network

CLUSTER = Cluster(id="c1", address_pools=["10.0.0.0/8"], subnet_size=24)


def new(name: str, *subnets: str, **fields: object) -> Network:
    """Return a network that nothing was given to yet."""
    configs = [ClusterIPAMConfig(Subnet=each) for each in subnets]
    ipam = IPAMOptions(Configs=configs) if configs else None
    return Network(id=name, spec=NetworkSpec(Name=name, IPAMOptions=ipam, **fields))  # type: ignore[arg-type]  # the caller names fields


def test_networks_follow_one_another_in_the_pools_and_in_vxlan_ids() -> None:
    """The ingress network comes first in Docker's swarm mode: 10.0.0.0/24 and 4096 and so on."""
    made: list[Network] = []
    for name in ("ingress", "a", "b"):
        made.append(given(new(name, Ingress=name == "ingress"), made, CLUSTER))

    ipv4 = [each for each in subnets_of(made) if "." in each]
    assert ipv4 == ["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24"]
    assert [vnis_of(each) for each in made] == [[4097, 4098], [4099], [4100]]
    assert made[1].ipam is not None
    assert made[1].ipam.Configs[0].Gateway == "10.0.1.1"


def test_what_was_let_go_is_not_given_again_at_once() -> None:
    """Nodes may have it still; what was asked for changes nothing of the order."""
    cluster, last = CLUSTER, []
    for name, subnets in (("a", ()), ("b", ("10.77.0.0/24",)), ("c", ()), ("d", ())):
        made = given(new(name, *subnets), [], cluster)
        cluster = noted(cluster, made)
        last.append((*subnets_of([made]), *vnis_of(made)))

    assert last == [
        ("10.0.0.0/24", 4097),
        ("10.77.0.0/24", 4098),
        ("10.0.1.0/24", 4099),
        ("10.0.2.0/24", 4100),
    ]


def test_the_ingress_network_has_both_families_whatever_was_asked_for() -> None:
    """Published ports are reached at the nodes' addresses of either."""
    for subnets in ([], ["10.9.0.0/24"], ["fd09::/64"]):
        made = given(new("ingress", *subnets, Ingress=True), [], CLUSTER)

        found = subnets_of([made])
        assert [4, 6] == sorted(ip_network(each).version for each in found)
        assert set(subnets) <= set(found)
        assert made.spec.IPv6Enabled


def test_a_subnet_for_each_family_and_a_vxlan_for_each_subnet() -> None:
    """Dual stack, and several subnets that were asked for."""
    dual = given(new("dual", IPv6Enabled=True), [], CLUSTER)
    several = given(new("several", "10.9.0.0/24", "10.9.1.0/24"), [dual], CLUSTER)

    first, second = subnets_of([dual])
    assert (first, second[:2], second[-4:]) == ("10.0.0.0/24", "fd", "::/64"[-4:])
    assert subnets_of([several]) == ["10.9.0.0/24", "10.9.1.0/24"]
    assert [vnis_of(each) for each in (dual, several)] == [[4097, 4098], [4099, 4100]]


def test_what_overlaps_or_is_exhausted_is_refused() -> None:
    """Nothing is given then."""
    first = given(new("first", "10.9.0.0/16"), [], CLUSTER)

    with pytest.raises(SubnetOverlaps):
        given(new("second", "10.9.7.0/24"), [first], CLUSTER)
    with pytest.raises(PoolsExhausted):
        given(new("third"), [first], replace(CLUSTER, address_pools=["10.9.0.0/16"]))


def test_a_vxlan_id_that_was_asked_for_is_given_once() -> None:
    """Others go round it."""
    driver = Driver(Name="overlay", Options={OPTION: "4098"})
    first = given(new("first", DriverConfiguration=driver), [], CLUSTER)

    assert vnis_of(first) == [4098]
    assert give_vnis(2, [], [first]) == [4097, 4099]
    with pytest.raises(VniTaken):
        given(new("second", DriverConfiguration=driver), [first], CLUSTER)


def test_vxlan_ids_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """There are 24 bits of them; here two."""
    monkeypatch.setattr(vnis, "LAST", vnis.FIRST + 1)
    full = [given(new("a"), [], CLUSTER)]
    assert give_vnis(2, [], [], after=vnis.LAST - 1) == [vnis.LAST, vnis.FIRST]

    assert give_vnis(1, [], full) == [vnis.FIRST + 1]
    with pytest.raises(VnisExhausted):
        give_vnis(2, [], full)


def test_networks_of_other_drivers_need_nothing() -> None:
    """They are each node's own affair."""
    wanted = new("local", DriverConfiguration=Driver(Name="macvlan"), Scope="swarm")

    made = given(wanted, [], CLUSTER)

    assert (made.driver_state.Name, made.ipam) == ("macvlan", None)
