"""Which networks a filter lets through."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from api.filters import Filters
from api.types.networks import Network

KEYS = frozenset({"dangling", "driver", "id", "label", "name", "scope", "type"})


def matches(network: Network, wanted: Filters) -> bool:
    """Tell whether a network passes by driver, id, label, name and scope; parts of names do."""
    return (
        _any(network.Driver == each for each in wanted.get("driver", ()))
        and _any(network.Id.startswith(each) for each in wanted.get("id", ()))
        and _any(each in network.Name for each in wanted.get("name", ()))
        and _any(network.Scope == each for each in wanted.get("scope", ()))
        and all(has_label(network.Labels, each) for each in wanted.get("label", ()))
    )


def has_label(labels: Mapping[str, str], wish: str) -> bool:
    """Tell whether a label is there: "key", or "key=value" with that value."""
    key, has_value, value = wish.partition("=")
    return key in labels and (not has_value or labels[key] == value)


def _any(results: Iterable[bool]) -> bool:
    """Return True when one is true, and when there was nothing to ask."""
    found = list(results)
    return not found or any(found)
