"""What the daemon holds of its containers while it runs, and does not keep on disk."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog

from api.types.containers import ContainerSummary
from engine.containers.readings import Readings
from engine.containers.record import ContainerRecord
from engine.ports.runtime import Monitored, MonitorStream

log = structlog.get_logger(__name__)

OpenStream = Callable[[], Awaitable[MonitorStream]]


class Attacher(Protocol):
    """A client that wants a container's output from the first byte on."""

    async def connected(self, open_stream: OpenStream) -> None:
        """Open the stream; called between create and start, so that nothing is missed.

        Raising fails nobody: the container starts all the same.
        """


class Signal:
    """Something that happens, with an exit code; many may wait for it, over and over."""

    def __init__(self) -> None:
        self._waiters: set[asyncio.Future[int]] = set()

    def expect(self) -> asyncio.Future[int]:
        """Return a future of the next time; whoever gives up cancels it."""
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiters.add(future)
        future.add_done_callback(self._waiters.discard)
        return future

    def fire(self, exit_code: int) -> None:
        """Tell all who wait."""
        for future in list(self._waiters):
            if not future.done():
                future.set_result(exit_code)


@dataclass(slots=True)
class Live:
    """The handles of one container.

    `lock` is held by whatever changes its state. `exited` fires at every exit, also one that a
    restart policy answers; `removed` once the container is gone. `teardown` is the clean-up after
    the last exit while it goes on: the next start awaits it. `stop_asked` tells the restart policy
    that a person wanted the exit; `keep` that AutoRemove does not follow it (restart).
    `retry` is the pending start of a restart policy; `failures` and `attempts` in a row are what
    the policy counts. `health` probes the container while it runs.
    `execs` belongs to the exec verbs: instances by id.
    """

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    monitored: Monitored | None = None
    exited: Signal = field(default_factory=Signal)
    removed: Signal = field(default_factory=Signal)
    attachers: list[Attacher] = field(default_factory=list)
    execs: dict[str, Any] = field(default_factory=dict)
    teardown: asyncio.Task[None] | None = None
    retry: asyncio.Task[None] | None = None
    health: asyncio.Task[None] | None = None
    stop_asked: bool = False
    keep: bool = False
    failures: int = 0
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class CachedSummary:
    """A row of the listing, and the record that it was made from."""

    record: ContainerRecord
    row: ContainerSummary


class LiveContainers:
    """Handles by container id, and the tasks that work for containers behind the requests."""

    def __init__(self) -> None:
        self._by_id: dict[str, Live] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.summaries: dict[str, CachedSummary] = {}
        self.readings = Readings()
        self.is_closing = False

    def of(self, container_id: str) -> Live:
        """Return the handles of a container, made at first use."""
        live = self._by_id.get(container_id)
        if live is None:
            live = self._by_id[container_id] = Live()
        return live

    def forget(self, container_id: str) -> None:
        """Drop the handles of a container that is gone."""
        self._by_id.pop(container_id, None)
        self.summaries.pop(container_id, None)

    def find_exec(self, exec_id: str) -> tuple[str, Any] | None:
        """Return (container id, instance) of an exec, None if there is none."""
        for container_id, live in self._by_id.items():
            if exec_id in live.execs:
                return container_id, live.execs[exec_id]
        return None

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run work behind the requests; a failure is logged, the daemon's end cancels it."""
        task = asyncio.get_running_loop().create_task(_logged(work, name), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def drain(self, prefix: str, timeout_s: float) -> None:
        """Wait for the tasks whose name begins so, at most so long."""
        tasks = [task for task in self._tasks if task.get_name().startswith(prefix)]
        if tasks:
            await asyncio.wait(tasks, timeout=timeout_s)

    async def cancel_all(self) -> None:
        """Cancel every task and wait until it ended."""
        self.is_closing = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _logged(work: Coroutine[Any, Any, None], name: str) -> None:
    try:
        await work
    except asyncio.CancelledError:
        raise
    except Exception:  # noqa: BLE001, RUF100  (the supervisor: one container's trouble stays its own)
        log.exception("container.task_failed", task=name)
