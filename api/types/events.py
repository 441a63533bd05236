"""Events as the API spells them (Engine API 1.56)."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType, field


class EventActor(Struct, frozen=True):
    """What an event happened to."""

    ID: str
    Attributes: dict[str, str] = field(default_factory=dict)


class EventMessage(Struct, frozen=True, kw_only=True):
    """One event; `time` in seconds and `timeNano` in nanoseconds since the epoch.

    `status`, `id` and `from` repeat the action and actor for clients older than API 1.22's
    actors; newer versions leave them out.
    """

    status: str | UnsetType = UNSET
    id: str | UnsetType = UNSET
    from_: str | UnsetType = field(default=UNSET, name="from")
    Type: str
    Action: str
    Actor: EventActor
    scope: str = "local"
    time: int
    timeNano: int
