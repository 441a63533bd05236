"""Which volumes a client wants: the filters of list and prune."""

from __future__ import annotations

from collections.abc import Mapping

from api.filters import Filters
from api.name_patterns import fits_any

LIST_KEYS = frozenset({"dangling", "driver", "label", "name"})
PRUNE_KEYS = frozenset({"all", "label", "label!"})


def names(wanted: Filters, name: str) -> bool:
    """Tell whether a name matches any of the wanted patterns; without any it does."""
    patterns = wanted.get("name", ())
    return not patterns or fits_any(name, patterns)


def labelled(wanted: Filters, labels: Mapping[str, str] | None) -> bool:
    """Tell whether all labels of `label` are there and none of `label!`, each `key[=value]`."""
    present = labels or {}
    return all(_has(present, each) for each in wanted.get("label", ())) and not any(
        _has(present, each) for each in wanted.get("label!", ())
    )


def _has(labels: Mapping[str, str], wanted: str) -> bool:
    key, equals, value = wanted.partition("=")
    return key in labels and (not equals or labels[key] == value)
