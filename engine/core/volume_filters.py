"""Which volumes a client wants: the filters of list and prune."""

from __future__ import annotations

from collections.abc import Mapping

from api.filters import Filters

LIST_KEYS = frozenset({"dangling", "driver", "label", "name"})
PRUNE_KEYS = frozenset({"all", "label", "label!"})


def names(wanted: Filters, name: str) -> bool:
    """Tell whether a name has any of the wanted parts; `^` and `$` tie a part to an end.

    Other signs of regular expressions mean themselves: a pattern from outside must not be able
    to occupy the engine.
    """
    parts = wanted.get("name", ())
    return not parts or any(_holds(part, name) for part in parts)


def labelled(wanted: Filters, labels: Mapping[str, str] | None) -> bool:
    """Tell whether all labels of `label` are there and none of `label!`, each `key[=value]`."""
    present = labels or {}
    return all(_has(present, each) for each in wanted.get("label", ())) and not any(
        _has(present, each) for each in wanted.get("label!", ())
    )


def _holds(part: str, name: str) -> bool:
    core = part.removeprefix("^").removesuffix("$")
    match part.startswith("^"), part.endswith("$"):
        case True, True:
            return name == core
        case True, False:
            return name.startswith(core)
        case False, True:
            return name.endswith(core)
        case _:
            return core in name


def _has(labels: Mapping[str, str], wanted: str) -> bool:
    key, equals, value = wanted.partition("=")
    return key in labels and (not equals or labels[key] == value)
