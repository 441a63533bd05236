"""Places in trees that others may change meanwhile, held fast for the runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class PinnedPaths(Protocol):
    """Mounts of our own, below the exec root, by container and number.

    The runtime takes a path; between our look at it and its mount a container that shares the
    volume may put a link there. A mount made of an open descriptor stays what was found.
    """

    async def pin(self, container_id: str, number: int, base: Path, subpath: str) -> Path:
        """Return a path that is what `subpath` was inside `base`, a directory or a file.

        No link leads out of `base`. Errors: NotFound, InvalidArgument, Internal.
        """

    async def place(self, container_id: str, number: int) -> Path:
        """Return a new empty directory to mount something on. Errors: Internal."""

    async def release(self, container_id: str) -> None:
        """Unmount and delete all of a container's; fine if there is none. Errors: Internal."""

    async def known(self) -> set[str]:
        """Return the containers that have any."""
