"""What the engine must know of the kernel to write a container's configuration."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from engine.core.cdi import CdiSpec
from engine.core.host_facts import Device, Facts


class HostFacts(Protocol):
    """The kernel's abilities, and the devices of the host."""

    def facts(self) -> Facts:
        """Return what holds while the daemon runs; read once, cheap afterwards."""

    async def devices(self) -> Sequence[Device]:
        """Return every device node below /dev, for a privileged container."""

    async def device(self, path: str) -> Sequence[Device]:
        """Return the device at a host path, or all devices below a directory.

        Paths in the answer are the host's.
        Errors:  InvalidArgument when there is none: `error gathering device information while
        adding custom device "PATH": no such file or directory`.
        """

    async def device_specs(self, directories: Sequence[Path]) -> Sequence[CdiSpec]:
        """Return the specifications of devices in these directories, the strongest last."""

    async def propagation(self, path: str) -> str:
        """Return how the mount that holds a path spreads: shared, slave or private."""
