"""Resources that an operator makes up for a node: `gpu=2`, or `gpu=UUID1` once per thing.

Source: the reference's `node-generic-resources` of daemon.json.
"""

from __future__ import annotations

from collections.abc import Iterable

from api.errors import InvalidArgument
from api.types.resources import (
    DiscreteGenericResource,
    GenericResource,
    NamedGenericResource,
)


def parse_generic_resources(texts: Iterable[str]) -> tuple[GenericResource, ...]:
    """Return what the texts say; one may hold several, with commas between.

    Errors:  InvalidArgument for one that is no pair, a number that is none, a kind that is both
             counted and named, or counted twice, a name that comes twice.
    """
    found: dict[tuple[str, str], GenericResource] = {}
    for text in ",".join(texts).split(","):
        if not text:
            continue
        kind, sign, value = text.partition("=")
        if not (kind and sign and value):
            raise InvalidArgument(f"could not parse GenericResource: '{text}' is not KIND=VALUE")
        is_counted = value.lstrip("-").isdecimal()
        if any(other == kind and (is_counted or not name) for other, name in found):
            raise InvalidArgument(
                f"could not parse GenericResource: '{kind}' is both counted and named, or counted "
                "twice"
            )
        key = (kind, "" if is_counted else value)
        if key in found:
            raise InvalidArgument(f"could not parse GenericResource: '{text}' is there twice")
        found[key] = _counted(kind, int(value)) if is_counted else _named(kind, value)
    return tuple(found.values())


def _counted(kind: str, count: int) -> GenericResource:
    if count < 0:
        raise InvalidArgument(f"could not parse GenericResource: '{kind}={count}' is negative")
    return GenericResource(DiscreteResourceSpec=DiscreteGenericResource(Kind=kind, Value=count))


def _named(kind: str, name: str) -> GenericResource:
    return GenericResource(NamedResourceSpec=NamedGenericResource(Kind=kind, Value=name))
