"""Who may send as whom, as a table that changes by what comes and goes."""

from __future__ import annotations

from engine.core.source_guard import Source, SourceGuard, link_local_of

MAC = "02:42:0a:00:07:02"
A = Source(MAC, ("10.0.7.2", "fd07::2"))


def test_a_change_costs_what_changed() -> None:
    guard = SourceGuard(["10.0.7.0/24", "fd07::/64"])
    guard.whole({"veth1": A})

    assert guard.change({"veth1": A}) == ""
    assert guard.change({"veth1": A, "veth2": Source("02:42:0a:00:07:03", ("10.0.7.3",))}) == (
        'add element bridge skep-sources own4 { "veth2" . 02:42:0a:00:07:03 . 10.0.7.3 }'
    )
    gone = guard.change({})
    assert gone.count("delete element") == 3
    assert gone.count(MAC) == 3
    assert "add" not in gone


def test_a_link_that_comes_back_with_another_address_has_the_old_one_no_more() -> None:
    guard = SourceGuard(["10.0.7.0/24"])
    guard.whole({"veth1": Source(MAC, ("10.0.7.2",))})

    text = guard.change({"veth1": Source("02:42:0a:00:07:04", ("10.0.7.4",))})

    assert text.splitlines() == [
        f'delete element bridge skep-sources own4 {{ "veth1" . {MAC} . 10.0.7.2 }}',
        'add element bridge skep-sources own4 { "veth1" . 02:42:0a:00:07:04 . 10.0.7.4 }',
    ]


def test_what_is_of_no_subnet_passes() -> None:
    """A container may be a router; a family without a subnet has nothing to steal."""
    both = SourceGuard(["10.0.7.0/24", "10.0.9.0/24", "fd07::/64"]).whole({})
    six = SourceGuard(["fd07::/64"]).whole({})

    assert "ip saddr != { 10.0.7.0/24, 10.0.9.0/24 } accept" in both
    assert "arp saddr ip != { 10.0.7.0/24, 10.0.9.0/24 } accept" in both
    assert "ip6 saddr != { fd07::/64, fe80::/10 } accept" in both
    assert "meta protocol ip accept" in six


def test_differences_are_told_as_a_person_reads_them() -> None:
    """However nft spells numbers: it writes small ones in decimals."""
    guard = SourceGuard(["10.0.7.0/24", "fd07::/64"])
    guard.whole({"veth1": Source(MAC, ("fd07::2",))})
    near = link_local_of(MAC)

    assert near == "fe80::42:aff:fe00:702"
    assert guard.differences([f"own6 veth1 . {MAC} . fd07::2", f"own6 veth1 . {MAC} . {near}"]) == [
        "claims6 veth1 . fd07::2 is missing",
        f"claims6 veth1 . {near} is missing",
    ]
    assert "claims6 veth9 . ::1 is too much" in guard.differences(["claims6 veth9 . 1"])
