"""node.json, and the directory of the swarm."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from agent.core.node_state import VERSION, NodeState
from api.errors import Internal

T = TypeVar("T")

_LOG = "raft.db"
_MANAGERS = (_LOG, f"{_LOG}-wal", f"{_LOG}-shm", "keys.json")


class DiskNodeFile:
    """Fulfils `NodeFile`.

    What shows that the node is in a swarm, node.json, is the last to come and the first to go, so
    that a crash in the middle leaves no half of a membership.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._path = directory / "node.json"

    async def load(self) -> NodeState | None:
        """Return what is kept."""
        return await self._do("read", self._load)

    async def save(self, state: NodeState) -> None:
        """Replace what is kept."""
        await self._do("write", lambda: self._save(state))

    async def clear(self) -> None:
        """Forget all."""
        await self._do("clear", self._clear)

    async def clear_manager(self) -> None:
        """Forget what a manager kept."""
        await self._do("clear", self._clear_manager)

    async def has_manager(self) -> bool:
        """Tell whether a manager's log is there."""
        return await self._do("read", (self.directory / _LOG).exists)

    async def _do(self, what: str, work: Callable[[], T]) -> T:
        try:
            return await asyncio.to_thread(work)
        except OSError as error:
            where = error.filename or self.directory
            raise Internal(f"cannot {what} {where}: {error.strerror}") from error

    def _load(self) -> NodeState | None:
        try:
            raw = self._path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            state = msgspec.json.decode(raw, type=NodeState)
        except msgspec.MsgspecError as error:
            raise Internal(
                f"{self._path} is damaged ({error}): restore it from a backup, or remove "
                f"{self.directory} to take this node out of its swarm"
            ) from error
        if state.version > VERSION:
            raise Internal(f"{self._path} was written by a newer version of this program")
        return state

    def _save(self, state: NodeState) -> None:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = self._path.with_suffix(".new")
        with open(temporary, "wb", opener=_private) as file:
            file.write(msgspec.json.format(msgspec.json.encode(state)))
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(self._path)
        _sync(self.directory)

    def _clear(self) -> None:
        if not self.directory.exists():
            return
        self._path.unlink(missing_ok=True)
        _sync(self.directory)
        shutil.rmtree(self.directory)

    def _clear_manager(self) -> None:
        for name in _MANAGERS:
            with suppress(FileNotFoundError):
                (self.directory / name).unlink()
        if self.directory.exists():
            _sync(self.directory)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
