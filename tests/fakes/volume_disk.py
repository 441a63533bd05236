"""Volumes in memory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from api.errors import Internal


class FakeVolumeDisk:
    """Fulfils `VolumeDisk`; what is there, what is mounted, and what was copied where."""

    def __init__(self) -> None:
        self.present: set[str] = set()
        self.mounted: dict[str, dict[str, str]] = {}
        self.copies: list[tuple[str, str, str, bool]] = []
        self.is_failing = False
        self.was_swept = False

    def mountpoint(self, name: str) -> Path:
        """Return where a volume would be."""
        return Path("/data/volumes") / name / "_data"

    async def create(self, name: str) -> None:
        """Make a volume; fails when told to."""
        if self.is_failing:
            raise Internal(f"create {name}: no space left on device")
        self.present.add(name)

    async def remove(self, name: str) -> None:
        """Remove a volume."""
        self.present.discard(name)

    async def mount(self, name: str, options: Mapping[str, str]) -> None:
        """Note a mount; fails when told to."""
        if self.is_failing:
            raise Internal("failed to mount local volume: no such device")
        if options.get("device"):
            self.mounted[name] = dict(options)

    async def unmount(self, name: str) -> None:
        """Forget a mount."""
        self.mounted.pop(name, None)

    async def copy_up(
        self, name: str, subpath: str, root: Path, destination: str, *, alone: bool
    ) -> None:
        """Note what was asked for."""
        self.copies.append((name, subpath, str(root / destination.lstrip("/")), alone))

    async def usage(self, name: str) -> int:
        """Every volume takes 4096 bytes here."""
        return 4096 if name in self.present else 0

    async def sweep(self) -> None:
        """Note that it was asked for."""
        self.was_swept = True
