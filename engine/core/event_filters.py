"""Which events a client wants: the filters of GET /events."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from api.types.events import EventMessage

Wanted = Mapping[str, Collection[str]]

# Actions that carry their command behind a colon, so that a filter by the first word fits all.
_WITH_DETAIL = frozenset({"health_status", "exec_create", "exec_start"})
_BY_NAME = (
    "daemon",
    "container",
    "plugin",
    "volume",
    "network",
    "node",
    "service",
    "secret",
    "config",
)


def select(wanted: Wanted) -> Callable[[EventMessage], bool]:
    """Return the test that an event must pass: every key, with any of its values.

    Objects are named by id, unique id prefix or name; an image also by the events of its
    containers, with or without tag. Unknown keys select nothing away.
    Source:  Engine API 1.56, GET /events.
    """
    tests: list[Callable[[EventMessage], bool]] = []
    for key, values in wanted.items():
        if not values:
            continue
        test = _TESTS.get(key)
        if test is not None:
            tests.append(_bind(test, values))
        elif key in _BY_NAME:
            tests.append(_bind_name(key, values))
    return lambda message: all(test(message) for test in tests)


def _bind(
    test: Callable[[EventMessage, Collection[str]], bool], values: Collection[str]
) -> Callable[[EventMessage], bool]:
    return lambda message: test(message, values)


def _bind_name(kind: str, values: Collection[str]) -> Callable[[EventMessage], bool]:
    return lambda message: message.Type == kind and _names(message, values)


def _names(message: EventMessage, values: Collection[str]) -> bool:
    name = message.Actor.Attributes.get("name", "")
    return any(
        value and (message.Actor.ID.startswith(value) or name.startswith(value)) for value in values
    )


def _is_event(message: EventMessage, values: Collection[str]) -> bool:
    if message.Action in values:
        return True
    return any(message.Action.startswith(f"{value}:") for value in values if value in _WITH_DETAIL)


def _is_type(message: EventMessage, values: Collection[str]) -> bool:
    return message.Type in values


def _in_scope(message: EventMessage, values: Collection[str]) -> bool:
    return message.scope in values


def _of_image(message: EventMessage, values: Collection[str]) -> bool:
    attribute = "name" if message.Type == "image" else "image"
    name = message.Actor.Attributes.get(attribute, "")
    candidates = {message.Actor.ID, name, _without_tag(message.Actor.ID), _without_tag(name)}
    return any(value in candidates for value in values if value)


def _with_label(message: EventMessage, values: Collection[str]) -> bool:
    """Tell whether every label asked for is there; several labels narrow, as the reference has."""
    attributes = message.Actor.Attributes
    for value in values:
        key, equals, wanted = value.partition("=")
        if key not in attributes or (equals and attributes[key] != wanted):
            return False
    return True


def _without_tag(name: str) -> str:
    head, colon, tail = name.rpartition(":")
    return head if colon and "/" not in tail else name


_TESTS: Mapping[str, Callable[[EventMessage, Collection[str]], bool]] = {
    "event": _is_event,
    "type": _is_type,
    "scope": _in_scope,
    "image": _of_image,
    "label": _with_label,
}
