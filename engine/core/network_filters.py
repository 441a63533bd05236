"""Which networks a filter lets through."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from api.filters import Filters
from api.name_patterns import fits_any
from api.types.networks import Network

KEYS = frozenset({"dangling", "driver", "id", "label", "name", "scope", "type"})


def matches(network: Network, wanted: Filters) -> bool:
    """Tell whether a network passes by driver, label and scope, and by patterns of id and name."""
    return (
        _any(network.Driver == each for each in wanted.get("driver", ()))
        and _fits(network.Id, wanted.get("id", ()))
        and _fits(network.Name, wanted.get("name", ()))
        and _any(network.Scope == each for each in wanted.get("scope", ()))
        and all(has_label(network.Labels, each) for each in wanted.get("label", ()))
    )


def has_label(labels: Mapping[str, str], wish: str) -> bool:
    """Tell whether a label is there: "key", or "key=value" with that value."""
    key, has_value, value = wish.partition("=")
    return key in labels and (not has_value or labels[key] == value)


def _fits(text: str, patterns: Collection[str]) -> bool:
    return not patterns or fits_any(text, patterns)


def _any(results: Iterable[bool]) -> bool:
    """Return True when one is true, and when there was nothing to ask."""
    found = list(results)
    return not found or any(found)
