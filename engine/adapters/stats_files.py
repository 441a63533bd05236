"""Read the kernel's counters of containers, many at once in one thread."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

from engine.ports.stats import Counted, Counters

_CGROUPS = Path("/sys/fs/cgroup")
_LONGEST_BYTES = 1 << 20
# By the hierarchy that has them.
_V1_FILES = {
    "cpuacct": ("cpuacct.usage", "cpuacct.usage_percpu", "cpuacct.stat"),
    "cpu": ("cpu.stat",),
    "memory": (
        "memory.usage_in_bytes",
        "memory.max_usage_in_bytes",
        "memory.limit_in_bytes",
        "memory.failcnt",
        "memory.stat",
    ),
    "pids": ("pids.current", "pids.max"),
    "blkio": ("blkio.throttle.io_service_bytes_recursive", "blkio.throttle.io_serviced_recursive"),
}
_V2_FILES = (
    "cpu.stat",
    "memory.current",
    "memory.max",
    "memory.stat",
    "memory.events",
    "memory.peak",
    "pids.current",
    "pids.max",
    "io.stat",
)


class KernelStatsFiles:
    """Fulfils `StatsFiles`."""

    def __init__(self) -> None:
        self._groups: dict[str, tuple[int, dict[str, Path]]] = {}

    async def read(self, containers: Sequence[Counted]) -> dict[str, Counters]:
        """Return the counters by container id, of those whose process still runs."""
        return await asyncio.to_thread(self._read, containers)

    def _read(self, containers: Sequence[Counted]) -> dict[str, Counters]:
        cpu_stat = _text("/proc/stat") or ""
        found = {}
        for each in containers:
            counters = self._counters(each, cpu_stat)
            if counters is None:
                self._groups.pop(each.container_id, None)
            else:
                found[each.container_id] = counters
        return found

    def _counters(self, counted: Counted, cpu_stat: str) -> Counters | None:
        paths = self._paths(counted)
        net_dev = _text(f"/proc/{counted.pid}/net/dev")
        if not paths or net_dev is None:
            return None
        files = {name: text for name, path in paths.items() if (text := _text(str(path)))}
        if not files:
            return None
        return Counters(
            version=2 if "memory.current" in paths else 1,
            read_ns=time.time_ns(),
            files=files,
            net_dev=net_dev,
            cpu_stat=cpu_stat,
        )

    def _paths(self, counted: Counted) -> dict[str, Path]:
        """Return the files by name; found once in the life of a process."""
        known = self._groups.get(counted.container_id)
        if known is None or known[0] != counted.pid:
            paths = group_files(_text(f"/proc/{counted.pid}/cgroup") or "", counted.container_id)
            known = self._groups[counted.container_id] = (counted.pid, paths)
        return known[1]


def group_files(membership: str, container_id: str) -> dict[str, Path]:
    """Return the files of counters, by the text of /proc/PID/cgroup.

    A process that went to a group of its own below the container's is counted with it.
    """
    groups: dict[str, str] = {}
    for line in membership.splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            groups[controller] = _up_to(path, container_id)
    paths = {}
    for controller, names in _V1_FILES.items():
        if controller in groups:
            directory = _CGROUPS / controller / groups[controller].lstrip("/")
            paths.update({name: directory / name for name in names})
    if not paths and "" in groups:
        directory = _CGROUPS / groups[""].lstrip("/")
        paths = {name: directory / name for name in _V2_FILES}
    return paths


def _up_to(path: str, container_id: str) -> str:
    head, found, tail = path.partition(container_id)
    return f"{head}{found}{tail.partition('/')[0]}" if found else path


def _text(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(_LONGEST_BYTES)
    except OSError:
        return None
