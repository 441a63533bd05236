"""What the machine is, as version and info tell it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolVersion:
    """A program that the engine runs: version and source revision, "" where it does not tell."""

    version: str = ""
    commit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Which resource limits the kernel has."""

    memory: bool
    swap: bool
    oom_kill_disable: bool
    cpu_shares: bool
    cpu_quota: bool
    cpuset: bool
    pids: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Facts that hold while the daemon runs; memory in bytes.

    `architecture` is the machine's own word (x86_64), `platform` that of image platforms (amd64).
    """

    engine_id: str
    kernel: str
    operating_system: str
    os_version: str
    architecture: str
    platform: str
    cpus: int
    memory_bytes: int
    backing_filesystem: str
    cgroup_version: int
    limits: Limits
    runtime: ToolVersion = field(default_factory=ToolVersion)
    monitor: ToolVersion = field(default_factory=ToolVersion)
    init: ToolVersion = field(default_factory=ToolVersion)
    init_path: str = ""
    python: str = ""
    revision: str = ""


class Host(Protocol):
    """The machine."""

    async def machine(self) -> Machine:
        """Return the facts, gathered at the first call."""

    def hostname(self) -> str:
        """Return the host's name now."""

    def is_forwarding(self) -> bool:
        """Tell whether the kernel forwards IPv4 now."""

    def open_files(self) -> int:
        """Return how many descriptors this process has open."""
