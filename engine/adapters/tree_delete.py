"""Delete a directory tree of any depth, following no link."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def delete_tree(path: Path) -> OSError | None:
    """Delete a file or tree; fine if gone. Return the first error, after trying all the rest.

    Neither recursion nor open descriptors grow with depth, which a container may have made as
    deep as it liked. Nobody else may work in the tree meanwhile. Blocks: call it in a thread.
    """
    try:
        if not stat.S_ISDIR(path.lstat().st_mode):
            path.unlink()
            return None
        walk = _Walk(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        return error
    try:
        walk.run()
        path.rmdir()
    except OSError as error:
        return walk.failure or error
    finally:
        walk.close()
    return walk.failure


class _Walk:
    """One descriptor, moved down and up the tree; per level the directories still to empty."""

    def __init__(self, path: Path) -> None:
        self._here = os.open(path, _DIRECTORY)
        self.failure: OSError | None = None
        self._way: list[tuple[str, list[str]]] = []

    def run(self) -> None:
        pending = self._unlink_all()
        while True:
            if pending:
                name = pending.pop()
                if self._enter(name):
                    self._way.append((name, pending))
                    pending = self._unlink_all()
            elif self._way:
                name, pending = self._way.pop()
                self._move(os.open("..", _DIRECTORY, dir_fd=self._here))
                self._attempt_rmdir(name)
            else:
                return

    def close(self) -> None:
        os.close(self._here)

    def _unlink_all(self) -> list[str]:
        """Unlink all that is no directory; return the directories."""
        directories: list[str] = []
        with os.scandir(self._here) as entries:
            listed = list(entries)
        for entry in listed:
            if entry.is_dir(follow_symlinks=False):
                directories.append(entry.name)
            else:
                with self._noted():
                    os.unlink(entry.name, dir_fd=self._here)
        return directories

    def _enter(self, name: str) -> bool:
        with self._noted():
            self._move(os.open(name, _DIRECTORY, dir_fd=self._here))
            return True
        return False

    def _attempt_rmdir(self, name: str) -> None:
        with self._noted():
            os.rmdir(name, dir_fd=self._here)

    def _move(self, descriptor: int) -> None:
        os.close(self._here)
        self._here = descriptor

    @contextlib.contextmanager
    def _noted(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.failure = self.failure or error
