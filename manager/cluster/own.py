"""What the verbs about this manager itself need; they work without a leader."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from manager.ports.backups import Backups
from manager.ports.clock import Clock
from manager.ports.leadership import Leadership
from manager.ports.members import Members
from manager.ports.metrics import Metrics
from manager.ports.statuses import Statuses
from manager.ports.store import Store


class Dumping(Store, Protocol):
    """A store whose whole state can be taken."""

    def dump(self) -> Iterator[bytes]:
        """Return the state as of now in pieces; they may be taken in another thread."""
        ...


@dataclass(frozen=True, slots=True)
class ManagerEnv:
    """One manager, and what it knows of the others."""

    leadership: Leadership
    members: Members
    statuses: Statuses
    store: Dumping
    backups: Backups
    metrics: Metrics
    clock: Clock
