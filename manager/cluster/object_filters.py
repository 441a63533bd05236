"""Filters that lists of named objects have in common."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from api.filters import Filters


class NameFilters:
    """`id` and `name` are prefixes, `names` whole names, `label` a key or key=value.

    Values of one filter are alternatives, except labels, which must all be there.
    """

    def __init__(self, filters: Filters, others: Collection[str] = ()) -> None:
        """Take the filters. Errors: InvalidFilter for one that is neither common nor of others."""
        filters.check({"id", "name", "names", "label", *others})
        self._ids = filters.get("id", ())
        self._prefixes = filters.get("name", ())
        self._names = frozenset(filters.get("names", ()))
        self._labels = labels_wanted(filters.get("label", ()))

    def fits(self, object_id: str, name: str, labels: Mapping[str, str]) -> bool:
        """Tell whether an object is to be shown."""
        return (
            starts(object_id, self._ids)
            and starts(name, self._prefixes)
            and (not self._names or name in self._names)
            and has_labels(labels, self._labels)
        )


def starts(text: str, prefixes: tuple[str, ...]) -> bool:
    """Tell whether a text has one of the prefixes; none at all means any."""
    return not prefixes or text.startswith(prefixes)


def labels_wanted(texts: Iterable[str]) -> dict[str, str]:
    """Return `key` and `key=value` filters as a map; "" is any value."""
    return {key: value for key, _, value in (text.partition("=") for text in texts)}


def has_labels(labels: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Tell whether all the wanted labels are there, with their values where these are given."""
    return all(
        key in labels and (not value or labels[key] == value) for key, value in wanted.items()
    )
