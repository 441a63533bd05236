"""Where volumes live on disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol


class VolumeDisk(Protocol):
    """Directories of the `local` driver: `<data root>/volumes/<name>/_data`.

    Names were checked before (engine/core/volume); options are the driver's own.
    """

    def mountpoint(self, name: str) -> Path:
        """Return where a volume's content is, or would be."""

    async def create(self, name: str) -> None:
        """Make the directories; fine if there. Errors: Internal (no space, no right)."""

    async def remove(self, name: str) -> None:
        """Put a volume out of sight, whole and at once, and delete it behind; fine if gone."""

    async def mount(self, name: str, options: Mapping[str, str]) -> None:
        """Mount what the options ask for; fine if mounted, nothing to do without a device.

        Errors:  Internal with the kernel's reason.
        """

    async def unmount(self, name: str) -> None:
        """Undo `mount`; fine if not mounted."""

    async def copy_up(
        self, name: str, subpath: str, root: Path, destination: str, *, alone: bool
    ) -> None:
        """Fill an empty volume with what `destination` holds inside `root`.

        Owner, mode, extended attributes, links, times and devices are kept. `alone` tells that
        no running container has the volume: then it appears whole or not at all.
        Errors:  Internal; an empty volume stays empty then.
        """

    async def usage(self, name: str) -> int:
        """Return the bytes that a volume uses."""

    async def sweep(self) -> None:
        """Delete what removals and copies of an earlier daemon left half done."""
