"""The files of tasks, each task's in a tmpfs of its own."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from agent.core.task_files import PlacedFile, TaskFile
from api.errors import Internal
from engine.adapters.mounts import mount
from engine.adapters.volume_mount import is_mounted, unmount_all
from engine.core.id_maps import IdMaps

T = TypeVar("T")

_MS_NOSUID, _MS_NODEV = 0x2, 0x4
_PAGE_BYTES = 4096
# For the directories and what the file system itself needs.
_SPARE_PAGES = 16


class TmpfsTaskFiles:
    """Fulfils `TaskFiles` below `<exec root>/tasks`; owners are numbers in the containers."""

    def __init__(self, root: Path, id_maps: IdMaps | None = None) -> None:
        self._root = root
        self._id_maps = id_maps

    async def place(self, task_id: str, files: Sequence[TaskFile]) -> list[PlacedFile]:
        """Lay the files down."""
        return await _done(lambda: self._place(task_id, files)) if files else []

    async def remove(self, task_id: str) -> None:
        """Take a task's files away."""
        await _done(lambda: self._remove(task_id))

    async def tasks(self) -> set[str]:
        """Return the tasks that have files."""
        return await _done(self._tasks)

    def _place(self, task_id: str, files: Sequence[TaskFile]) -> list[PlacedFile]:
        self._remove(task_id)
        directory = self._root / task_id
        directory.mkdir(mode=0o700, parents=True)
        pages = sum(len(each.content) // _PAGE_BYTES + 1 for each in files) + _SPARE_PAGES
        _mount_in_memory(directory, f"mode=0700,size={pages * _PAGE_BYTES}")
        try:
            return [self._write(directory / str(n), each) for n, each in enumerate(files)]
        except BaseException:
            self._remove(task_id)
            raise

    def _write(self, path: Path, file: TaskFile) -> PlacedFile:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as out:
            out.write(file.content)
            owner = (file.uid, file.gid)
            os.fchown(descriptor, *(self._id_maps.outside(*owner) if self._id_maps else owner))
            os.fchmod(descriptor, file.mode)
        return PlacedFile(str(path), file.target)

    def _remove(self, task_id: str) -> None:
        directory = self._root / task_id
        unmount_all(directory)
        if directory.exists():
            directory.rmdir()

    def _tasks(self) -> set[str]:
        if not self._root.is_dir():
            return set()
        return {each.name for each in self._root.iterdir() if is_mounted(each)}


def _mount_in_memory(directory: Path, options: str) -> None:
    """Mount a tmpfs that is not swapped out, where the kernel can do that (6.4)."""
    flags = _MS_NOSUID | _MS_NODEV
    try:
        mount("tmpfs", directory, "tmpfs", flags, f"{options},noswap")
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        mount("tmpfs", directory, "tmpfs", flags, options)


async def _done(work: Callable[[], T]) -> T:
    try:
        return await asyncio.to_thread(work)
    except OSError as error:
        raise Internal(f"cannot keep the files of a task: {error.strerror}") from error
