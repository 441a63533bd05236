"""The engine, as far as tasks need it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from agent.core.task_files import PlacedFile
from agent.core.task_to_container import TaskContainer
from api.types.cluster_networks import PortConfig


@dataclass(frozen=True, slots=True)
class Exit:
    """How a container ended; `error` is the engine's own word on it, mostly ""."""

    code: int
    error: str = ""


@dataclass(frozen=True, slots=True)
class Running:
    """A container's process, and the ports that it has on the host."""

    pid: int
    ports: tuple[PortConfig, ...] = ()


class Executor(Protocol):
    """Runs one container per task. Errors of all: SkepError, NoSuchContainer where it is gone."""

    async def provide_image(self, reference: str, auth: str) -> None:
        """Have the image here, pulled if need be; `auth` as X-Registry-Auth has it.

        Errors:  why it cannot be had.
        """
        ...

    def find(self, name: str) -> str | None:
        """Return the id of the container of this name; None if there is none."""
        ...

    async def create(self, container: TaskContainer, files: Sequence[PlacedFile]) -> str:
        """Make the container, with these files in it, and return its id."""
        ...

    async def start(self, container_id: str) -> None:
        """Start it; fine if it runs already."""
        ...

    def running(self, container_id: str) -> Running:
        """Return what is to be told of it while it runs."""
        ...

    async def healthy(self, container_id: str) -> bool:
        """Return True once it is healthy, at once without a health check; False if it never was.

        It never was when it is found unhealthy, or ends before.
        """
        ...

    async def unhealthy(self, container_id: str) -> None:
        """Return when it is found unhealthy, which may never be."""
        ...

    async def exited(self, container_id: str) -> Exit:
        """Return how it ended, once it has."""
        ...

    async def drained(self, container_id: str) -> None:
        """Return when what came in was accepted, and short exchanges are over; or soon.

        For a container that gets nothing new, before it is asked to end. Fine if it has ended.
        """
        ...

    async def stop(self, container_id: str) -> None:
        """Ask it to end, and insist after its own time of grace; fine if it has ended."""
        ...

    async def remove(self, container_id: str) -> None:
        """Remove it and its anonymous volumes, running or not; fine if it is gone."""
        ...
