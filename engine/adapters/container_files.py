"""The files that the engine keeps for containers, on a local disk."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from api.errors import Internal
from engine.adapters.mounts import detach, mount

# Only such as need no library: the container's image has none for them.
_INIT_PROGRAMS = ("docker-init", "catatonit", "tini-static")
# A container may write to its files; what it blew up is its own affair, and left alone.
_LONGEST_EDITED = 1 << 20
_PROGRAM_PATH = "/usr/libexec/docker:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class DiskContainerFiles:
    """Fulfils engine.ports.container_files.ContainerFiles under `<data root>/containers`."""

    def __init__(
        self,
        data_root: Path,
        *,
        resolv_conf: Path = Path("/etc/resolv.conf"),
        hosts: Path = Path("/etc/hosts"),
        owner: tuple[int, int] = (0, 0),
    ) -> None:
        """Give what containers may change to `owner`, the host's numbers of their root user."""
        self._owner = owner
        self._root = data_root / "containers"
        self._resolv_conf = resolv_conf
        self._hosts = hosts

    def directory(self, container_id: str) -> Path:
        """Return where a container's files are, or would be."""
        return self._root / container_id

    async def write(self, container_id: str, files: Mapping[str, str]) -> None:
        """Write these files, readable to all, and make the directory. Errors: Internal."""
        await asyncio.to_thread(_write, self.directory(container_id), files, self._owner)

    async def edit(self, container_id: str, name: str, change: Callable[[str], str]) -> None:
        """Change a file in place, for a running container has it mounted. Errors: Internal."""
        await asyncio.to_thread(_edit, self.directory(container_id) / name, change)

    async def remove(self, container_id: str) -> None:
        """Delete the directory with all that it holds; fine if gone."""
        await self.close_shm(container_id)
        await asyncio.to_thread(shutil.rmtree, self.directory(container_id), ignore_errors=True)

    async def open_shm(self, container_id: str, size: int) -> Path:
        """Mount a tmpfs of so many bytes to share as /dev/shm. Errors: Internal."""
        await asyncio.to_thread(_mount_shm, self.shm(container_id), size, self._owner)
        return self.shm(container_id)

    async def close_shm(self, container_id: str) -> None:
        """Undo `open_shm`; fine if not mounted."""
        path = self.shm(container_id)
        if await asyncio.to_thread(os.path.ismount, path):
            await asyncio.to_thread(detach, path)

    def shm(self, container_id: str) -> Path:
        """Return where `open_shm` mounts it."""
        return self.directory(container_id) / "shm"

    async def known(self) -> set[str]:
        """Return the containers that have a directory."""
        try:
            return set(await asyncio.to_thread(os.listdir, self._root))
        except FileNotFoundError:
            return set()

    async def missing(self, paths: Sequence[str]) -> list[str]:
        """Return those host paths that do not exist."""
        return await asyncio.to_thread(
            lambda: [each for each in paths if not os.path.lexists(each)]
        )

    async def make_directories(self, paths: Sequence[str]) -> None:
        """Make host directories with their parents where nothing is. Errors: Internal."""
        await asyncio.to_thread(_make_directories, paths, self._owner)

    async def size(self, path: Path) -> int:
        """Return the bytes of a file, 0 if there is none."""
        try:
            return (await asyncio.to_thread(os.stat, path)).st_size
        except OSError:
            return 0

    def host_resolv_conf(self) -> str:
        """Return the host's resolver configuration, "" if it has none."""
        return _text(self._resolv_conf)

    def host_hosts(self) -> str:
        """Return the host's /etc/hosts, "" if it has none."""
        return _text(self._hosts)

    def text(self, path: Path) -> str:
        """Return a small file of the host, "" if it cannot be read."""
        return _text(path)

    def init_program(self) -> str:
        """Return the path of a static init program for containers, "" if the host has none."""
        found = (shutil.which(name, path=_PROGRAM_PATH) for name in _INIT_PROGRAMS)
        return next((path for path in found if path), "")

    def hostname(self) -> str:
        """Return the host's name."""
        return socket.gethostname()


def _mount_shm(path: Path, size: int, owner: tuple[int, int]) -> None:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.is_mount():
            flags = os.ST_NOSUID | os.ST_NODEV | os.ST_NOEXEC
            options = "mode=1777,size={},uid={},gid={}".format(size, *owner)
            mount("shm", path, "tmpfs", flags, options)
    except OSError as error:
        raise Internal(f"cannot mount {path}: {error}") from error


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _write(directory: Path, files: Mapping[str, str], owner: tuple[int, int]) -> None:
    try:
        directory.mkdir(mode=0o710, parents=True, exist_ok=True)
        for name, text in files.items():
            _replace(directory / name, text, owner)
    except OSError as error:
        raise Internal(f"cannot write the container's files in {directory}: {error}") from error


def _replace(path: Path, text: str, owner: tuple[int, int]) -> None:
    # A container may have made the file its own through the bind mount; never follow a link, and
    # never write into a file that a container may still have open.
    path.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o644)
    with os.fdopen(descriptor, "w") as file:
        os.fchmod(descriptor, 0o644)
        os.fchown(descriptor, *owner)
        file.write(text)


def _edit(path: Path, change: Callable[[str], str]) -> None:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(descriptor, "r+", errors="surrogateescape") as file:
            before = file.read(_LONGEST_EDITED)
            after = change(before)
            if after != before and len(before) < _LONGEST_EDITED:
                file.seek(0)
                file.write(after)
                file.truncate()
    except OSError as error:
        raise Internal(f"cannot change the container's file {path}: {error}") from error


def _make_directories(paths: Sequence[str], owner: tuple[int, int]) -> None:
    for each in paths:
        try:
            if not os.path.lexists(each):
                _make_directory(Path(each), owner)
        except OSError as error:
            raise Internal(
                f"error while creating mount source path '{each}': mkdir {each}: {error.strerror}"
            ) from error


def _make_directory(path: Path, owner: tuple[int, int]) -> None:
    missing = [each for each in (path, *path.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(mode=0o755, exist_ok=True)
        os.chown(each, *owner)
