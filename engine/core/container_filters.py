"""Which containers a client wants: the filters of list and prune.

Source: Engine API 1.56, GET /containers/json and POST /containers/prune.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from api.errors import InvalidArgument
from api.filters import InvalidFilter
from api.name_patterns import fits_any
from engine.core.container_state import Status
from engine.core.timestamps import parse_moment

Wanted = Mapping[str, Collection[str]]

_ORDER_KEYS = frozenset({"before", "since"})
_PRUNE_KEYS = frozenset({"until", "label", "label!"})
_STATUSES = frozenset(Status)
_HEALTH = frozenset({"none", "starting", "healthy", "unhealthy"})
_TRUE = frozenset({"1", "true", "True"})
_FALSE = frozenset({"0", "false", "False"})
_PORTS = 65536
_SPAN_PART = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ns|us|ms|s|m|h)")
_SPAN = re.compile(rf"(?:{_SPAN_PART.pattern})+")
_UNITS_NS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facet:
    """What the filters look at of one container.

    `images` are the ids of its image and of those that it was made from. `volumes` are names,
    sources and destinations of mounts. `exposed` and `published` are container ports, "80/tcp".
    """

    id: str
    name: str
    status: Status
    exit_code: int
    health: str
    labels: Mapping[str, str]
    images: Collection[str] = ()
    networks: Collection[str] = ()
    volumes: Collection[str] = ()
    exposed: Collection[str] = ()
    published: Collection[str] = ()
    is_task: bool = False


@dataclass(frozen=True, slots=True)
class Resolved:
    """Filter values that name other objects, looked up before: image ids, creation times."""

    images: Collection[str] = field(default=())


def check_list(wanted: Wanted) -> None:
    """Accept the filters of GET /containers/json. Errors: InvalidFilter, InvalidArgument."""
    _check_keys(wanted, _ORDER_KEYS | _TESTS.keys())
    for value in wanted.get("status", ()):
        if value not in _STATUSES:
            raise InvalidArgument(
                f"invalid filter 'status={value}': invalid value for state ({value}): must be one "
                f"of {', '.join(sorted(_STATUSES))}"
            )
    for value in wanted.get("health", ()):
        if value not in _HEALTH:
            raise InvalidFilter(f"health={value}")
    for value in wanted.get("exited", ()):
        _number(value, f"exited={value}")
    for key in ("expose", "publish"):
        for value in wanted.get(key, ()):
            _port_range(value)
    if len(wanted.get("is-task", ())) > 1 or not set(wanted.get("is-task", ())) <= _TRUE | _FALSE:
        raise InvalidFilter(f"is-task={list(wanted['is-task'])}")


def check_prune(wanted: Wanted) -> None:
    """Accept the filters of POST /containers/prune. Errors: InvalidFilter."""
    _check_keys(wanted, _PRUNE_KEYS)
    if len(wanted.get("until", ())) > 1:
        raise InvalidArgument("more than one until filter specified")


def asks_for_stopped(wanted: Wanted) -> bool:
    """Tell whether the filters themselves speak of containers that do not run."""
    return bool(wanted.get("status") or wanted.get("exited"))


def matches(facet: Facet, wanted: Wanted, resolved: Resolved) -> bool:
    """Tell whether a container fits every key, by any of its values; labels by all of theirs.

    `before` and `since` are compared by the caller, who knows the times.
    """
    return all(
        _TESTS[key](facet, values, resolved)
        for key, values in wanted.items()
        if values and key in _TESTS
    )


def until_ns(text: str, now_ns: int) -> int:
    """Return the moment that `until` means: a moment, or a span of time ago ("24h", "1h30m").

    Errors:  InvalidArgument.
    """
    if _SPAN.fullmatch(text):
        parts = _SPAN_PART.findall(text)
        return now_ns - sum(round(float(number) * _UNITS_NS[unit]) for number, unit in parts)
    return parse_moment(text)


def fits_labels(labels: Mapping[str, str], wanted: Collection[str]) -> bool:
    """Tell whether every "key" or "key=value" is there."""
    return all(_has_label(labels, each) for each in wanted)


def fits_no_label(labels: Mapping[str, str], unwanted: Collection[str]) -> bool:
    """Tell whether none of these labels is there."""
    return not any(_has_label(labels, each) for each in unwanted)


def _has_label(labels: Mapping[str, str], wanted: str) -> bool:
    key, equals, value = wanted.partition("=")
    return key in labels and (not equals or labels[key] == value)


def _check_keys(wanted: Wanted, known: Collection[str]) -> None:
    for key in wanted:
        if key not in known:
            raise InvalidFilter(key)


def _fits_name(facet: Facet, patterns: Collection[str]) -> bool:
    """Look at the name with its leading slash, and without."""
    return fits_any(facet.name, patterns) or fits_any(f"/{facet.name}", patterns)


def _number(text: str, shown: str) -> int:
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 10):
        raise InvalidFilter(shown)
    return int(text)


def _port_range(text: str) -> tuple[int, int, str]:
    numbers, _, protocol = text.partition("/")
    first, dash, last = numbers.partition("-")
    low = _number(first, text)
    high = _number(last, text) if dash else low
    if not 0 <= low <= high < _PORTS:
        raise InvalidArgument(f"invalid filter: invalid port range: {text}")
    return low, high, protocol or "tcp"


def _has_port(ports: Collection[str], wanted: Collection[str]) -> bool:
    ranges = [_port_range(each) for each in wanted]
    for port in ports:
        number, _, protocol = port.partition("/")
        for low, high, kind in ranges:
            if kind == (protocol or "tcp") and number.isdecimal() and low <= int(number) <= high:
                return True
    return False


_Test = Callable[[Facet, Collection[str], Resolved], bool]
_TESTS: Mapping[str, _Test] = {
    "id": lambda facet, values, _: fits_any(facet.id, values),
    "name": lambda facet, values, _: _fits_name(facet, values),
    "status": lambda facet, values, _: facet.status in values,
    "exited": lambda facet, values, _: (
        facet.status in {Status.EXITED, Status.DEAD}
        and facet.exit_code in {int(each) for each in values}
    ),
    "health": lambda facet, values, _: facet.health in values,
    "label": lambda facet, values, _: fits_labels(facet.labels, values),
    "ancestor": lambda facet, _, resolved: bool(set(facet.images) & set(resolved.images)),
    "network": lambda facet, values, _: bool(set(facet.networks) & set(values)),
    "volume": lambda facet, values, _: bool(set(facet.volumes) & set(values)),
    "expose": lambda facet, values, _: _has_port(facet.exposed, values),
    "publish": lambda facet, values, _: _has_port(facet.published, values),
    "isolation": lambda *_: True,
    "is-task": lambda facet, values, _: facet.is_task == bool(set(values) & _TRUE),
}
