"""The local manager as a process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from api.errors import SkepError


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagerArguments:
    """How a manager is started.

    `init` is the JSON that makes a new cluster, `join` the address of a manager of the cluster
    to become a member of; without both the manager goes on with what its directory holds, and
    with `force_new_cluster` alone, without the others.
    """

    state_dir: Path
    listen: str
    advertise: str
    init: bytes = b""
    join: str = ""
    force_new_cluster: bool = False


@dataclass(frozen=True, slots=True)
class Ready:
    """What a manager says when its socket serves."""

    node_id: str
    locked: bool


class ManagerFailed(SkepError):
    """The manager ended before it served; the message is its own."""

    def __init__(self, message: str, http: int = 500) -> None:
        super().__init__(message)
        self.http = http  # type: ignore[misc] # an instance's own status, as the manager told it


class Child(Protocol):
    """A manager that was started."""

    async def ready(self) -> Ready:
        """Return when it serves. Errors: ManagerFailed when it ends before."""
        ...

    async def ended(self) -> int:
        """Return its exit code when it has ended; negative for a signal."""
        ...

    async def stop(self) -> None:
        """Ask it to end, insist after a while, and return when it has ended."""
        ...


class Launcher(Protocol):
    """Starts managers, all of them with the same socket."""

    async def launch(self, arguments: ManagerArguments) -> Child:
        """Start one. Errors: ManagerFailed when the process cannot be made."""
        ...
