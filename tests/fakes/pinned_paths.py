"""Pinned paths in memory."""

from __future__ import annotations

from pathlib import Path


class FakePinnedPaths:
    """Fulfils `PinnedPaths`; what is held for whom."""

    def __init__(self) -> None:
        self.held: dict[str, dict[int, str]] = {}

    async def pin(self, container_id: str, number: int, base: Path, subpath: str) -> Path:
        """Return the path, taken at its word."""
        self.held.setdefault(container_id, {})[number] = str(base / subpath)
        return Path("/exec/mounts") / container_id / str(number)

    async def place(self, container_id: str, number: int) -> Path:
        """Return a place."""
        self.held.setdefault(container_id, {})[number] = ""
        return Path("/exec/mounts") / container_id / str(number)

    async def release(self, container_id: str) -> None:
        """Forget what was held."""
        self.held.pop(container_id, None)

    async def known(self) -> set[str]:
        """Return the containers that hold something."""
        return set(self.held)
