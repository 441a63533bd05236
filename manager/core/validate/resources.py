"""What tasks ask for: CPUs, memory, swap, processes, generic resources."""

from __future__ import annotations

from api.cluster_errors import InvalidSpec
from api.types.resources import GenericResource, ResourceRequirements

MIN_NANO_CPUS = 10**6
MIN_MEMORY_BYTES = 4 << 20


def check_resources(wanted: ResourceRequirements | None) -> None:
    """Refuse what no container could run with. Errors: InvalidSpec."""
    if wanted is None:
        return
    for part in (wanted.Limits, wanted.Reservations):
        if part is not None:
            _check_amounts(part.NanoCPUs, part.MemoryBytes)
    if wanted.Limits is not None and wanted.Limits.Pids < 0:
        raise InvalidSpec(f"invalid pids limit {wanted.Limits.Pids}: Must not be negative")
    if wanted.Reservations is not None:
        for resource in wanted.Reservations.GenericResources:
            _check_generic(resource)
    _check_swap(wanted)


def _check_amounts(nano_cpus: int, memory_bytes: int) -> None:
    if nano_cpus and nano_cpus < MIN_NANO_CPUS:
        raise InvalidSpec(
            f"invalid cpu value {_plain(nano_cpus / 10**9)}: "
            f"Must be at least {_plain(MIN_NANO_CPUS / 10**9)}"
        )
    if memory_bytes and memory_bytes < MIN_MEMORY_BYTES:
        raise InvalidSpec(f"invalid memory value {memory_bytes}: Must be at least 4MiB")


def _plain(number: float) -> str:
    return repr(number).removesuffix(".0")


def _check_swap(wanted: ResourceRequirements) -> None:
    if wanted.SwapBytes is not None:
        if wanted.SwapBytes < -1:
            raise InvalidSpec(f"invalid swap value {wanted.SwapBytes}: Must be at least -1")
        if wanted.Limits is None or not wanted.Limits.MemoryBytes:
            raise InvalidSpec("a swap limit can only be used together with a memory limit")
    swappiness = wanted.MemorySwappiness
    if swappiness is not None and not -1 <= swappiness <= 100:
        raise InvalidSpec(f"invalid memory swappiness {swappiness}: Must be from -1 to 100")


def _check_generic(resource: GenericResource) -> None:
    if resource.NamedResourceSpec is not None:
        raise InvalidSpec(
            f"generic resource {resource.NamedResourceSpec.Kind}: a service asks for a number of "
            "them, not for one by name"
        )
    counted = resource.DiscreteResourceSpec
    if counted is None or not counted.Kind:
        raise InvalidSpec("a generic resource needs a kind and a number")
    if counted.Value <= 0:
        raise InvalidSpec(f"generic resource {counted.Kind}: the number must be positive")
