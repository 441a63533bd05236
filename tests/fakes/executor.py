"""An engine whose containers do as a test says."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from agent.core.task_files import PlacedFile
from agent.core.task_to_container import TaskContainer
from agent.ports.executor import Exit, Running
from api.errors import NoSuchContainer, SkepError


@dataclass
class FakeContainer:
    """A container; `end` and `ail` let things happen to it."""

    name: str
    files: Sequence[PlacedFile] = ()
    started: int = 0
    stops: int = 0
    drained_before_stop: bool = False
    is_probed: bool = False
    health: asyncio.Future[bool] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    ailing: asyncio.Event = field(default_factory=asyncio.Event)
    exit: asyncio.Future[Exit] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def end(self, code: int, error: str = "") -> None:
        """Let it end."""
        if not self.exit.done():
            self.exit.set_result(Exit(code, error))


@dataclass
class FakeExecutor:
    """Fulfils `Executor`. `pulls` are the images asked for; errors are raised by the call."""

    containers: dict[str, FakeContainer] = field(default_factory=dict)
    pulls: list[tuple[str, str]] = field(default_factory=list)
    pull_error: SkepError | None = None
    start_error: SkepError | None = None
    remove_errors: list[SkepError] = field(default_factory=list)
    pulling: asyncio.Event | None = None
    probed: bool = False
    removed: list[str] = field(default_factory=list)

    async def provide_image(self, reference: str, auth: str) -> None:
        """Note it; wait where the test wants that."""
        self.pulls.append((reference, auth))
        if self.pulling is not None:
            await self.pulling.wait()
        if self.pull_error is not None:
            raise self.pull_error

    def find(self, name: str) -> str | None:
        """Return the name, which is the id here."""
        return name if name in self.containers else None

    async def create(self, container: TaskContainer, files: Sequence[PlacedFile]) -> str:
        """Make one."""
        self.containers[container.name] = FakeContainer(
            container.name, files, is_probed=self.probed
        )
        return container.name

    async def start(self, container_id: str) -> None:
        """Count."""
        if self.start_error is not None:
            raise self.start_error
        self._of(container_id).started += 1

    def running(self, container_id: str) -> Running:
        """Return a process."""
        return Running(4711 if self._of(container_id).started else 0)

    async def healthy(self, container_id: str) -> bool:
        """Return what the test says of a container that is probed."""
        container = self._of(container_id)
        return await asyncio.shield(container.health) if container.is_probed else True

    async def unhealthy(self, container_id: str) -> None:
        """Return when the test says so."""
        await self._of(container_id).ailing.wait()

    async def exited(self, container_id: str) -> Exit:
        """Return when the test, or a stop, ended it."""
        return await asyncio.shield(self._of(container_id).exit)

    async def drained(self, container_id: str) -> None:
        """Note that it was asked."""
        container = self._of(container_id)
        container.drained_before_stop = container.stops == 0

    async def stop(self, container_id: str) -> None:
        """End it by a signal, unless it has ended."""
        container = self._of(container_id)
        container.stops += 1
        container.end(143)

    async def remove(self, container_id: str) -> None:
        """Remove it."""
        if self.remove_errors:
            raise self.remove_errors.pop(0)
        self.removed.append(container_id)
        self.vanish(container_id)

    def vanish(self, container_id: str) -> None:
        """Let it be removed behind everybody's back."""
        container = self.containers.pop(container_id, None)
        if container is not None and not container.exit.done():
            container.exit.set_exception(NoSuchContainer(container_id))
            container.exit.exception()

    def _of(self, container_id: str) -> FakeContainer:
        if container_id not in self.containers:
            raise NoSuchContainer(container_id)
        return self.containers[container_id]
