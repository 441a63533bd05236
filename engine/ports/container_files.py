"""The files that the engine keeps for a container on the host, and the host's own that it reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol


class ContainerFiles(Protocol):
    """`<data root>/containers/<id>/`: hosts, hostname, resolv.conf and the log."""

    def directory(self, container_id: str) -> Path:
        """Return where a container's files are, or would be."""

    async def write(self, container_id: str, files: Mapping[str, str]) -> None:
        """Write these files, readable to all, and make the directory. Errors: Internal."""

    async def edit(self, container_id: str, name: str, change: Callable[[str], str]) -> None:
        """Change a file in place, for a running container has it mounted. Errors: Internal."""

    async def remove(self, container_id: str) -> None:
        """Delete the directory with all that it holds; fine if gone."""

    async def open_shm(self, container_id: str, size: int) -> Path:
        """Mount a tmpfs of so many bytes to share as /dev/shm. Errors: Internal."""

    async def close_shm(self, container_id: str) -> None:
        """Undo `open_shm`; fine if not mounted."""

    def shm(self, container_id: str) -> Path:
        """Return where `open_shm` mounts it."""

    async def known(self) -> set[str]:
        """Return the containers that have a directory."""

    async def missing(self, paths: Sequence[str]) -> list[str]:
        """Return those host paths that do not exist."""

    async def make_directories(self, paths: Sequence[str]) -> None:
        """Make host directories with their parents where nothing is. Errors: Internal."""

    async def size(self, path: Path) -> int:
        """Return the bytes of a file, 0 if there is none."""

    def host_resolv_conf(self) -> str:
        """Return the host's resolver configuration, "" if it has none."""

    def host_hosts(self) -> str:
        """Return the host's /etc/hosts, "" if it has none."""

    def text(self, path: Path) -> str:
        """Return a small file of the host, "" if it cannot be read."""

    def init_program(self) -> str:
        """Return the path of a static init program for containers, "" if the host has none."""

    def hostname(self) -> str:
        """Return the host's name."""
