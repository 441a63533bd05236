"""A machine made up."""

from __future__ import annotations

from dataclasses import replace

from engine.ports.host import Limits, Machine, ToolVersion

MACHINE = Machine(
    engine_id="7d1f0d1e-6a5c-4c1a-9a53-000000000001",
    kernel="6.1.0-test",
    operating_system="Debian GNU/Linux 12 (bookworm)",
    os_version="12",
    architecture="x86_64",
    platform="amd64",
    cpus=2,
    memory_bytes=8 << 30,
    backing_filesystem="extfs",
    cgroup_version=2,
    limits=Limits(
        memory=True,
        swap=True,
        oom_kill_disable=False,
        cpu_shares=True,
        cpu_quota=True,
        cpuset=True,
        pids=True,
    ),
    runtime=ToolVersion(version="1.1.5", commit="abc"),
    monitor=ToolVersion(version="2.1.6"),
    init=ToolVersion(),
    init_path="/usr/bin/tini",
    python="3.11.2",
    revision="1234567",
)


class FakeHost:
    """Fulfils `Host`."""

    def __init__(self, machine: Machine = MACHINE, *, is_forwarding: bool = True) -> None:
        self._machine = machine
        self._is_forwarding = is_forwarding

    async def machine(self) -> Machine:
        """Return the facts."""
        return self._machine

    def hostname(self) -> str:
        """Return a name."""
        return "node-1"

    def is_forwarding(self) -> bool:
        """Return what the test wants."""
        return self._is_forwarding

    def open_files(self) -> int:
        """Return a number."""
        return 42


def machine_without(*limits: str) -> Machine:
    """Return a machine whose kernel lacks these limits."""
    return replace(MACHINE, limits=replace(MACHINE.limits, **dict.fromkeys(limits, False)))
