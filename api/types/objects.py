"""What the objects of a cluster have in common (Engine API 1.56).

The types of the cluster leave out what Go's `omitempty` leaves out, by msgspec's `omit_defaults`:
zero, "", false, an empty list or map, and None, which is Go's nil. So code reads plain values
where older types have UNSET, and two specs that say the same are equal however they were sent.
A field that Go always shows has a default factory other than `list` and `dict`.
Durations are nanoseconds; times are RFC 3339 with nanoseconds.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct, field

ZERO_TIME = "0001-01-01T00:00:00Z"

Natural = Annotated[int, Meta(ge=0)]
"""Go's unsigned integers: a negative number is refused by the decoder."""


def no_labels() -> dict[str, str]:
    """Return the labels of what has none, shown as {}."""
    return {}


def nothing() -> None:
    """Return a nil that is shown as null."""
    return


class ObjectVersion(Struct, frozen=True, omit_defaults=True):
    """Which change of the cluster's state an object is of; updates must name it."""

    Index: Natural = 0


class ClusterObject(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Identifier, version and times of every object that the managers keep."""

    ID: str = field(default_factory=str)
    Version: ObjectVersion = field(default_factory=ObjectVersion)
    CreatedAt: str = field(default_factory=lambda: ZERO_TIME)
    UpdatedAt: str = field(default_factory=lambda: ZERO_TIME)


class Annotations(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The name and the labels that users give."""

    Name: str = ""
    Labels: dict[str, str] = field(default_factory=no_labels)


class Driver(Struct, frozen=True, omit_defaults=True):
    """A driver with its options: of networks, of addresses, of logs, of secrets, of templates."""

    Name: str = ""
    Options: dict[str, str] = field(default_factory=dict)


class IDResponse(Struct, frozen=True):
    """What the creation of a secret or a config answers."""

    ID: str
