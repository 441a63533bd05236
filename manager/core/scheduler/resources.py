"""Resources: what a task reserves, what is free on a node."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from api.types.resources import (
    DiscreteGenericResource,
    GenericResource,
    NamedGenericResource,
    ResourceObject,
)
from api.types.tasks import TaskSpec


class Demand(Struct, frozen=True):
    """What one task reserves; generic resources as numbers by kind."""

    nano_cpus: int = 0
    memory_bytes: int = 0
    generic: tuple[tuple[str, int], ...] = ()


NOTHING = Demand()

_NO_RESOURCES: list[GenericResource] = []
"""Shared by all tasks that are given none; lists in objects are never changed."""


def demand_of(spec: TaskSpec) -> Demand:
    """Return what a task of this spec reserves."""
    wanted = spec.Resources.Reservations if spec.Resources is not None else None
    if wanted is None:
        return NOTHING
    generic: dict[str, int] = {}
    for resource in wanted.GenericResources:
        kind, count = _counted(resource)
        generic[kind] = generic.get(kind, 0) + count
    return Demand(wanted.NanoCPUs, wanted.MemoryBytes, tuple(sorted(generic.items())))


class Free:
    """What is free on one node. Tasks that were there before it shrank may leave less than 0."""

    __slots__ = ("_counts", "_names", "memory_bytes", "nano_cpus")

    def __init__(self, total: ResourceObject) -> None:
        self.nano_cpus = total.NanoCPUs
        self.memory_bytes = total.MemoryBytes
        self._counts: dict[str, int] = {}
        self._names: dict[str, list[str]] = {}
        for resource in total.GenericResources:
            self._put(resource)

    def has(self, demand: Demand) -> bool:
        """Tell whether a task's demand can be met."""
        return (
            demand.nano_cpus <= self.nano_cpus
            and demand.memory_bytes <= self.memory_bytes
            and all(count <= self.count(kind) for kind, count in demand.generic)
        )

    def count(self, kind: str) -> int:
        """Return how many of a generic resource are free."""
        return self._counts.get(kind, 0) + len(self._names.get(kind, ()))

    def claim(self, demand: Demand) -> list[GenericResource]:
        """Take a demand, and return the generic resources that the task is given."""
        self.nano_cpus -= demand.nano_cpus
        self.memory_bytes -= demand.memory_bytes
        if not demand.generic:
            return _NO_RESOURCES
        return [
            resource for kind, count in demand.generic for resource in self._choose(kind, count)
        ]

    def reclaim(self, demand: Demand, given: Iterable[GenericResource]) -> None:
        """Take what a task has that was placed before."""
        self.nano_cpus -= demand.nano_cpus
        self.memory_bytes -= demand.memory_bytes
        for resource in given:
            self._take(resource)

    def release(self, demand: Demand, given: Iterable[GenericResource]) -> None:
        """Give back what a task had."""
        self.nano_cpus += demand.nano_cpus
        self.memory_bytes += demand.memory_bytes
        for resource in given:
            self._put(resource)

    def _choose(self, kind: str, count: int) -> list[GenericResource]:
        """Return what to give for a number of a kind, named things first, and take it."""
        names = self._names.get(kind, [])
        named, self._names[kind] = names[:count], names[count:]
        chosen = [
            GenericResource(NamedResourceSpec=NamedGenericResource(kind, name)) for name in named
        ]
        rest = count - len(named)
        if rest:
            self._counts[kind] = self._counts.get(kind, 0) - rest
            chosen.append(GenericResource(DiscreteResourceSpec=DiscreteGenericResource(kind, rest)))
        return chosen

    def _put(self, resource: GenericResource) -> None:
        named = resource.NamedResourceSpec
        if named is not None:
            self._names.setdefault(named.Kind, []).append(named.Value)
        elif resource.DiscreteResourceSpec is not None:
            kind, count = _counted(resource)
            self._counts[kind] = self._counts.get(kind, 0) + count

    def _take(self, resource: GenericResource) -> None:
        named = resource.NamedResourceSpec
        if named is not None:
            names = self._names.get(named.Kind, [])
            if named.Value in names:
                names.remove(named.Value)
        elif resource.DiscreteResourceSpec is not None:
            kind, count = _counted(resource)
            self._counts[kind] = self._counts.get(kind, 0) - count


def _counted(resource: GenericResource) -> tuple[str, int]:
    if resource.NamedResourceSpec is not None:
        return resource.NamedResourceSpec.Kind, 1
    counted = resource.DiscreteResourceSpec
    return (counted.Kind, counted.Value) if counted is not None else ("", 0)
