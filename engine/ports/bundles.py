"""The directories that the OCI runtime and the monitor work from: one per container, on tmpfs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol


class Bundles(Protocol):
    """`<exec root>/containers/<id>/` with config.json, and `exec/<exec id>/` below it."""

    def directory(self, container_id: str) -> Path:
        """Return where a container's bundle is, or would be."""

    async def write(self, container_id: str, spec: Mapping[str, Any]) -> Path:
        """Make a bundle with this OCI configuration, in place of an older one; return it.

        Errors:  Internal when the disk refuses; RuntimeFailed when /dev, /proc or /sys of the
        container's tree is a link, which could lead the runtime to the host.
        """

    async def write_exec(self, container_id: str, exec_id: str, process: Mapping[str, Any]) -> Path:
        """Make an exec's directory with this OCI process object; return it. Errors: Internal."""

    async def remove_exec(self, container_id: str, exec_id: str) -> None:
        """Delete an exec's directory; fine if gone."""

    async def remove(self, container_id: str) -> None:
        """Delete a bundle with all that is in it; fine if gone."""

    async def known(self) -> set[str]:
        """Return the containers that have a bundle."""
