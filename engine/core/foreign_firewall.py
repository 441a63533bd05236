"""Other programs' chains that would drop what our containers send and get.

A packet passes every base chain of its hook, and one drop is enough: a forward chain with the
policy drop, as iptables' users and another container engine leave it, cuts our bridges off. Such
chains get two rules in front, for our bridge alone; nothing in them is changed or removed. What
our own table refuses stays refused. The rules have the plain form that iptables-nft reads as its
own (`-i skep0 -j ACCEPT`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_FAMILIES = frozenset({"ip", "ip6", "inet"})
_DIRECTIONS = ("iifname", "oifname")


def opening_text(ruleset: dict[str, Any], bridge: str) -> str:
    """Return the transaction that lets a bridge through, "" when nothing is in its way.

    `ruleset` is what `nft -j list ruleset` prints.
    """
    present = {(rule[:3], rule[3]) for rule in _our_rules(ruleset, bridge)}
    return "\n".join(
        f'insert rule {" ".join(chain)} {direction} "{bridge}" counter accept'
        for chain in _dropping_chains(ruleset)
        for direction in _DIRECTIONS
        if (chain, direction) not in present
    )


def closing_text(ruleset: dict[str, Any], bridge: str) -> str:
    """Return the transaction that takes these rules of a bridge away, "" when there are none."""
    return "\n".join(
        f"delete rule {family} {table} {chain} handle {handle}"
        for family, table, chain, _, handle in _our_rules(ruleset, bridge)
    )


def _dropping_chains(ruleset: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for item in ruleset.get("nftables", ()):
        chain = item.get("chain", {})
        if (
            chain.get("hook") == "forward"
            and chain.get("policy") == "drop"
            and chain["family"] in _FAMILIES
        ):
            yield chain["family"], chain["table"], chain["name"]


def _our_rules(ruleset: dict[str, Any], bridge: str) -> Iterator[tuple[str, str, str, str, int]]:
    dropping = set(_dropping_chains(ruleset))
    for item in ruleset.get("nftables", ()):
        rule = item.get("rule")
        if rule and (place := (rule["family"], rule["table"], rule["chain"])) in dropping:
            direction = _direction(rule["expr"], bridge)
            if direction:
                yield *place, direction, rule["handle"]


def _direction(expressions: list[dict[str, Any]], bridge: str) -> str:
    """Return iifname or oifname when the rule is one of ours for this bridge, else ""."""
    match [each for each in expressions if "counter" not in each]:
        case [
            {"match": {"op": "==", "left": {"meta": {"key": direction}}, "right": name}},
            {"accept": None},
        ] if name == bridge and direction in _DIRECTIONS:
            return str(direction)
    return ""
