"""The processor time of a swarm, by the control groups that all of it runs in.

Unlike the time on the clock it says something on a machine that has other things to do as well.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.hosts import Cluster
from tests.root.node import wait_until

_TOP = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Meter:
    """Counts what runs in the group of the daemons, and in that of the hosts' containers."""

    daemons: Path

    def add(self, hosts: Cluster) -> None:
        """Count these hosts' daemons, and whatever they start, from now on."""
        for host in hosts:
            for pid in host.network.processes(host.number):
                (self.daemons / "cgroup.procs").write_text(str(pid))

    def read_s(self, hosts: Cluster) -> float:
        """Return how many seconds of one processor they have had."""
        containers = self.daemons.parent / f"skep-{hosts[0].network.name}"
        return _used_s(self.daemons) + (_used_s(containers) if containers.exists() else 0.0)


@contextmanager
def meter() -> Iterator[Meter]:
    """Lend one; who was added has to be gone in the end."""
    top = _TOP / "cpuacct" if (_TOP / "cpuacct").is_dir() else _TOP
    group = top / f"bench-{secrets.token_hex(4)}"
    group.mkdir()
    try:
        yield Meter(group)
    finally:
        wait_until(lambda: not (group / "cgroup.procs").read_text(), f"{group} to be empty")
        group.rmdir()


def _used_s(group: Path) -> float:
    """Return what a group's processes used, as version 1 or 2 of the control groups has it."""
    if (group / "cpuacct.usage").exists():
        return int((group / "cpuacct.usage").read_text()) / 1e9
    lines = (group / "cpu.stat").read_text().splitlines()
    return int(dict(line.split() for line in lines)["usage_usec"]) / 1e6
