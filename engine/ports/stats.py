"""The kernel's counters of containers, unread: core/stats makes sense of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Counted:
    """A container to be read: `pid` is its first process's."""

    container_id: str
    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """Texts of the kernel's files: of the group by their names, of the network, of all CPUs.

    `version` is that of the control groups. A file that is missing is not among `files`.
    `read_ns` is since the epoch.
    """

    version: int
    read_ns: int
    files: dict[str, str] = field(default_factory=dict)
    net_dev: str = ""
    cpu_stat: str = ""


class StatsFiles(Protocol):
    """Reads counters."""

    async def read(self, containers: Sequence[Counted]) -> dict[str, Counters]:
        """Return the counters by container id, of those whose process still runs."""
