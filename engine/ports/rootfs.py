"""Looking into a container's file tree from the host, without being led out of it by a link."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class Rootfs(Protocol):
    """Paths are the container's own: absolute, links resolved as if `root` were /.

    What is made belongs to the containers' root user.
    """

    async def read(self, root: Path, path: str, limit: int = 4 << 20) -> bytes:
        """Return a regular file's content, at most so many bytes; b"" if there is no such file.

        A directory, a device, a pipe or a file that cannot be opened counts as none.
        """

    async def make_directory(self, root: Path, path: str) -> None:
        """Make a directory with its parents, root's, mode 0755; existing ones stay as they are.

        Errors:  InvalidArgument when a part of the path is a file.
        """

    async def make_mount_point(self, root: Path, path: str, *, is_file: bool) -> None:
        """Make an empty file or directory to mount on, if nothing is there.

        Errors:  InvalidArgument when a part of the path is a file.
        """
