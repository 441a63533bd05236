"""Rules in other programs' chains: only where they drop, only ours, only once."""

from __future__ import annotations

from typing import Any

from engine.core.foreign_firewall import closing_text, opening_text


def ruleset(policy: str = "drop", rules: tuple[tuple[str, str], ...] = ()) -> dict[str, Any]:
    """Return what nft prints for one forward chain with rules (direction, interface)."""
    place = {"family": "ip", "table": "filter"}
    chain = {**place, "name": "FORWARD", "hook": "forward", "policy": policy}
    items: list[dict[str, Any]] = [{"chain": chain}]
    for handle, (direction, name) in enumerate(rules, 7):
        match = {"op": "==", "left": {"meta": {"key": direction}}, "right": name}
        expressions = [{"match": match}, {"counter": {"packets": 1}}, {"accept": None}]
        items.append({"rule": {**place, "chain": "FORWARD", "handle": handle, "expr": expressions}})
    return {"nftables": items}


def test_a_dropping_chain_is_opened_both_ways() -> None:
    """In the form that iptables shows as its own."""
    assert opening_text(ruleset(), "skep0").splitlines() == [
        'insert rule ip filter FORWARD iifname "skep0" counter accept',
        'insert rule ip filter FORWARD oifname "skep0" counter accept',
    ]


def test_an_accepting_chain_is_left_alone() -> None:
    """Nothing is in the way."""
    assert opening_text(ruleset("accept"), "skep0") == ""


def test_what_is_open_is_not_opened_again() -> None:
    """Every start of the daemon asks."""
    present = ruleset(rules=(("iifname", "skep0"), ("oifname", "skep0")))

    assert opening_text(present, "skep0") == ""


def test_only_our_bridges_rules_are_removed() -> None:
    """Another bridge's and other programs' stay."""
    present = ruleset(rules=(("iifname", "docker0"), ("oifname", "skep0")))

    assert closing_text(present, "skep0") == "delete rule ip filter FORWARD handle 8"
