"""Placement constraints: `node.labels.zone==a`, `node.role != manager`.

Keys are compared without regard to case, the name of a label with regard to it, values without.
A label that a node does not have is "". A key that nobody knows fits no node.
Source: docker service create, `--constraint`; Engine API 1.56, Placement.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from msgspec import Struct

from api.cluster_errors import InvalidSpec
from manager.core.objects.node import Node

NODE_LABELS = "node.labels."
ENGINE_LABELS = "engine.labels."

_KEY = re.compile(r"[a-zA-Z_][a-zA-Z0-9\-_.]+")
_VALUE = re.compile(r"[a-zA-Z0-9:\-_\s.*()?+\[\]\\^$|/]+")


class Operator(Enum):
    """How a constraint compares."""

    EQUAL = "=="
    UNEQUAL = "!="


class Constraint(Struct, frozen=True):
    """One condition on nodes."""

    key: str
    operator: Operator
    value: str


def parse_constraints(texts: Iterable[str]) -> list[Constraint]:
    """Return the conditions that texts stand for. Errors: InvalidSpec."""
    return [parse_constraint(text) for text in texts]


def parse_constraint(text: str) -> Constraint:
    """Return the condition that a text stands for. Errors: InvalidSpec."""
    for operator in Operator:
        key, found, value = text.partition(operator.value)
        if not found:
            continue
        key, value = key.strip(), value.strip()
        if not _KEY.fullmatch(key):
            raise InvalidSpec(f"key '{key}' is invalid")
        if not _VALUE.fullmatch(value):
            raise InvalidSpec(f"value '{value}' is invalid")
        return Constraint(key, operator, value)
    raise InvalidSpec("constraint expected one operator from ==, !=")


def is_met(constraints: Sequence[Constraint], node: Node) -> bool:
    """Tell whether a node meets all conditions."""
    return all(_fits(constraint, node) for constraint in constraints)


def label_of(node: Node, descriptor: str) -> str:
    """Return the label that `node.labels.x` or `engine.labels.x` speaks of, "" if absent."""
    labels = _labels(node, descriptor.lower())
    name = descriptor.partition(".")[2].partition(".")[2]
    return labels.get(name, "") if labels is not None else ""


def _fits(constraint: Constraint, node: Node) -> bool:
    key = constraint.key.lower()
    if key == "node.ip":
        return _fits_address(constraint, node.status.Addr)
    actual = _actual(constraint.key, key, node)
    if actual is None:
        return False
    is_equal = actual.casefold() == constraint.value.casefold()
    return is_equal is (constraint.operator is Operator.EQUAL)


def _actual(spelled: str, key: str, node: Node) -> str | None:
    """Return the value of a key, None for keys that nobody knows."""
    description = node.description
    match key:
        case "node.id":
            return node.id
        case "node.hostname":
            return description.Hostname
        case "node.role":
            return node.role
        case "node.platform.os":
            return description.Platform.OS
        case "node.platform.arch":
            return description.Platform.Architecture
        case _:
            return label_of(node, spelled) if _labels(node, key) is not None else None


def _labels(node: Node, key: str) -> dict[str, str] | None:
    if key.startswith(NODE_LABELS) and key != NODE_LABELS:
        return node.spec.Labels
    if key.startswith(ENGINE_LABELS) and key != ENGINE_LABELS:
        return node.description.Engine.Labels
    return None


def _fits_address(constraint: Constraint, actual: str) -> bool:
    wanted = _network(constraint.value)
    if wanted is None:
        return False
    address = _address(actual)
    is_within = address is not None and address in wanted
    return is_within is (constraint.operator is Operator.EQUAL)


def _network(text: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None
