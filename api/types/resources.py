"""What tasks ask for and nodes have, as the API spells it (Engine API 1.56)."""

from __future__ import annotations

from msgspec import Struct, field


class NamedGenericResource(Struct, frozen=True, omit_defaults=True):
    """One thing with a name of its own: a GPU by its UUID."""

    Kind: str = ""
    Value: str = ""


class DiscreteGenericResource(Struct, frozen=True, omit_defaults=True):
    """So many of a kind."""

    Kind: str = ""
    Value: int = 0


class GenericResource(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A resource that an operator made up: one of the two is set."""

    NamedResourceSpec: NamedGenericResource | None = None
    DiscreteResourceSpec: DiscreteGenericResource | None = None


class ResourceObject(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a node has, or a task reserves: billionths of a CPU, bytes."""

    NanoCPUs: int = 0
    MemoryBytes: int = 0
    GenericResources: list[GenericResource] = field(default_factory=list)


class Limit(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a task may use at most; 0 is no limit."""

    NanoCPUs: int = 0
    MemoryBytes: int = 0
    Pids: int = 0


class ResourceRequirements(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Limits and reservations of each container of a service; swap in bytes, -1 is all."""

    Limits: Limit | None = None
    Reservations: ResourceObject | None = None
    SwapBytes: int | None = None
    MemorySwappiness: int | None = None
