"""Directory trees on their way out: renamed at once, deleted in the background."""

from __future__ import annotations

import os
import secrets
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)


class Trash:
    """Deletes trees one after another in a thread; what a crash left goes at the next `sweep`."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._directory = directory
        self._lane = ThreadPoolExecutor(max_workers=1, thread_name_prefix="trash")

    def take(self, path: Path) -> None:
        """Put a tree out of its place now, to be deleted soon; fine if gone. Errors: OSError."""
        target = self._directory / secrets.token_hex(8)
        try:
            path.rename(target)
        except FileNotFoundError:
            return
        self._lane.submit(_delete_logged, target)

    def sweep(self) -> None:
        """Delete what an earlier daemon left here."""
        for path in self._directory.iterdir():
            self._lane.submit(_delete_logged, path)

    def close(self) -> None:
        """Stop; what is not deleted yet waits for the next daemon."""
        self._lane.shutdown(wait=False, cancel_futures=True)


def _delete_logged(path: Path) -> None:
    try:
        delete_tree(path)
    except FileNotFoundError:
        return
    except OSError as error:
        log.warning("trash.kept", path=str(path), reason=str(error))


def delete_tree(top: Path) -> None:
    """Delete a tree that nobody else changes, however deep; symbolic links are not followed.

    Directories are moved up beside the first before they are emptied, so that neither path length
    nor recursion limits how deep they may be.
    """
    if not stat.S_ISDIR(top.lstat().st_mode):
        top.unlink()
        return
    aside = top.parent
    pending = [str(top)]
    while pending:
        directory = pending[-1]
        before = len(pending)
        with os.scandir(directory) as found:
            for item in found:
                if item.is_dir(follow_symlinks=False):
                    moved = str(aside / f"{secrets.token_hex(8)}")
                    os.rename(item.path, moved)
                    pending.append(moved)
                else:
                    os.unlink(item.path)
        if len(pending) == before:
            os.rmdir(directory)
            pending.pop()
