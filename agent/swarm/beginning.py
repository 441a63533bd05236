"""How a node's time in its swarm begins."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Create:
    """It makes the swarm: `orders` is what its manager reads, JSON."""

    orders: bytes


@dataclass(frozen=True, slots=True)
class Join:
    """It joins one, as its state says."""


@dataclass(frozen=True, slots=True)
class Resume:
    """It was there before; `force_new_cluster` lets its manager go on without the others."""

    force_new_cluster: bool = False


Beginning = Create | Join | Resume
