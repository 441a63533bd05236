"""Which network leads outside, and what names a container may ask for."""

from __future__ import annotations

from api.types.networks import EndpointSettings
from engine.networks.gateway import by_priority, gateways, publishing
from engine.networks.names import dns_names, entries_of, view_of
from engine.networks.record import EndpointRecord, NetworkRecord, SandboxRecord


def pair(
    name: str, *, priority: int = 0, internal: bool = False, ipv6: str = "", bridge: bool = True
) -> tuple[NetworkRecord, EndpointRecord]:
    """Return a network and an endpoint on it with the gateway <name>4 and, if given, IPv6."""
    network = NetworkRecord(
        id=f"id-{name}",
        name=name,
        driver="bridge" if bridge else "macvlan",
        created_ns=1,
        bridge=f"br-{name}" if bridge else "",
        internal=internal,
    )
    settings = EndpointSettings(
        GwPriority=priority,
        Gateway=f"{name}4",
        IPAddress=f"{name}-v4",
        IPv6Gateway=ipv6,
        GlobalIPv6Address=ipv6,
        EndpointID=f"ep-{name}",
        DNSNames=None if name == "bridge" else ["web", name],
    )
    return network, EndpointRecord(
        network_id=network.id, network_name=name, link="", name="eth0", settings=settings
    )


def test_internal_networks_rank_last_then_priority_then_name_decide() -> None:
    """As Docker 28 has it."""
    pairs = [pair("inner", internal=True, priority=9), pair("b"), pair("a"), pair("z", priority=1)]

    assert [network.name for network, _ in by_priority(pairs)] == ["z", "a", "b", "inner"]


def test_each_family_has_its_own_gateway() -> None:
    """The first network may have no IPv6."""
    chosen = gateways([pair("a"), pair("b", ipv6="fd00::1")])

    assert {family: network.name for family, (network, _) in chosen.items()} == {4: "a", 6: "b"}


def test_internal_networks_lead_nowhere() -> None:
    """No default route, no published port."""
    chosen = gateways([pair("inner", internal=True)])

    assert chosen == {}
    assert publishing(chosen).settings.EndpointID == ""


def test_only_bridges_publish() -> None:
    """A container on macvlan is reached under its own address."""
    assert publishing(gateways([pair("mv", bridge=False)])).settings.EndpointID == ""
    assert publishing(gateways([pair("a")])).settings.IPAddress == "a-v4"


def test_names_come_once_and_the_containers_own_first() -> None:
    """An automatic host name is the short id."""
    assert dns_names("c" * 64, "web", "c" * 12, ["db", "web"]) == ["web", "db", "c" * 12]


def test_the_default_bridge_has_no_names_but_leads_outside() -> None:
    """Links and entries are of user-defined networks alone."""
    bridge, inner = pair("bridge"), pair("inner", internal=True)
    record = SandboxRecord(container_id="c1", container_name="web", endpoints=[bridge[1], inner[1]])

    view = view_of(record, {each.id: each for each in (bridge[0], inner[0])})

    assert view.networks == (("id-inner", "inner"),)
    assert view.may_ask_outside
    assert set(entries_of(record)) == {"id-inner"}
