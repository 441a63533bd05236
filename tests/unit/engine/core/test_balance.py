"""The table of balanced addresses as text: small transactions for small changes."""

from __future__ import annotations

from engine.core.balance import Balance

VIP = "10.0.7.100"


def test_a_task_more_changes_one_slot_and_the_size() -> None:
    """Elements alone: no rule is written once a size was used before."""
    balance = Balance()
    balance.whole({VIP: {"10.0.7.2": 1}, "10.0.7.101": {"10.0.7.8": 1, "10.0.7.9": 1}})

    text = balance.change({VIP: {"10.0.7.2": 1, "10.0.7.3": 1}})

    assert text.splitlines() == [
        "delete element inet skep-vip services4 { 10.0.7.100 }",
        "add element inet skep-vip services4 { 10.0.7.100 : goto of2v4 }",
        "add element inet skep-vip slots4 { 10.0.7.100 . 1 : 10.0.7.3 }",
    ]


def test_what_stays_the_same_costs_nothing() -> None:
    """Most of what managers tell concerns others."""
    balance = Balance()
    balance.whole({VIP: {"10.0.7.2": 1}})

    assert balance.change({VIP: {"10.0.7.2": 1}}, gone=["10.0.7.200"]) == ""


def test_a_service_that_goes_takes_all_its_elements_along() -> None:
    """Tables never keep an entry for what is gone."""
    balance = Balance()
    balance.whole({VIP: {"10.0.7.2": 1}})

    text = balance.change({}, gone=[VIP])

    assert sorted(text.splitlines()) == [
        "delete element inet skep-vip services4 { 10.0.7.100 }",
        "delete element inet skep-vip slots4 { 10.0.7.100 . 0 }",
        "delete element inet skep-vip virtual4 { 10.0.7.100 }",
    ]
    assert balance.addresses == set()


def test_families_have_maps_of_their_own() -> None:
    """A virtual address of IPv6 leads to addresses of IPv6."""
    balance = Balance()
    balance.whole({})

    text = balance.change({"fd07::100": {"fd07::2": 1}})

    assert "add element inet skep-vip slots6 { fd07::100 . 0 : fd07::2 }" in text
    assert "dnat ip6 to ip6 daddr . numgen random mod 1 map @slots6" in text
