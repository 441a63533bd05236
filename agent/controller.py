"""One task's container: prepared, started, waited for, shut down, removed.

Every call may be made again after it was cut short, by a cancellation or by the daemon's end: it
goes on from what it finds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

from agent.core.task_files import TaskFile
from agent.core.task_to_container import TaskContainer, task_name
from agent.ports.executor import Executor, Exit, Running
from agent.ports.task_files import TaskFiles
from api.errors import NotFound, SkepError
from api.types.assignments import AssignedTask
from api.types.tasks import UNHEALTHY

log = structlog.get_logger(__name__)


class TaskFailed(SkepError):
    """A task's container did not do what it should; the message is shown by `docker service ps`."""


class NonZeroExit(TaskFailed):
    """The container ended with an error."""

    def __init__(self, exit_: Exit, cause: str = "") -> None:
        reason = f": {cause or exit_.error}" if cause or exit_.error else ""
        super().__init__(f"task: non-zero exit ({exit_.code}){reason}")
        self.exit_code = exit_.code


class ContainerGone(TaskFailed):
    """The container was removed behind the task's back."""

    def __init__(self) -> None:
        super().__init__("task: the container was removed")


@dataclass(frozen=True, slots=True)
class ControllerEnv:
    """What controllers need; `container` and `contents` decide what the task comes to.

    `settle` returns when all nodes know that a task gets nothing new, or a short while has passed.
    """

    executor: Executor
    files: TaskFiles
    container: Callable[[AssignedTask], TaskContainer]
    contents: Callable[[AssignedTask], Sequence[TaskFile]]
    settle: Callable[[str], Awaitable[None]]


class Controller:
    """The container of one task."""

    def __init__(self, env: ControllerEnv, task: AssignedTask) -> None:
        self._env = env
        self._task = task

    @property
    def container_id(self) -> str | None:
        """The container's id while it is there."""
        return self._env.executor.find(task_name(self._task))

    def running(self) -> Running | None:
        """Return what is to be told of the container; None when it is not there."""
        container_id = self.container_id
        return None if container_id is None else self._env.executor.running(container_id)

    async def prepare(self) -> None:
        """Have the container made. Errors: SkepError with words for the user."""
        container = self._env.container(self._task)
        if self.container_id is not None:
            return
        files = self._env.contents(self._task)
        await self._env.executor.provide_image(container.request.Image, self._task.RegistryAuth)
        placed = await self._env.files.place(self._task.ID, files)
        await self._env.executor.create(container, placed)

    async def start(self) -> None:
        """Return when the container runs and, where it is probed, is healthy.

        Errors:  SkepError; NonZeroExit for one that was not healthy, which is stopped.
        """
        container_id = self._existing()
        await self._restore_files()
        try:
            await self._env.executor.start(container_id)
        except SkepError as error:
            raise TaskFailed(f"starting container failed: {error.message}") from error
        if await self._env.executor.healthy(container_id):
            return
        await self._env.executor.stop(container_id)
        exit_ = await self._env.executor.exited(container_id)
        raise NonZeroExit(exit_, UNHEALTHY)

    async def wait(self, ail: Callable[[], Awaitable[None]]) -> None:
        """Return when the container has ended well.

        One that becomes unhealthy is told of by `ail`, gets nothing new, and is stopped.
        Errors:  NonZeroExit; ContainerGone.
        """
        container_id = self._existing()
        exiting = asyncio.ensure_future(self._env.executor.exited(container_id))
        ailing = asyncio.ensure_future(self._env.executor.unhealthy(container_id))
        try:
            await asyncio.wait({exiting, ailing}, return_when=asyncio.FIRST_COMPLETED)
            cause = ""
            if not exiting.done():
                cause = UNHEALTHY
                await ail()
                await self._withdraw(container_id)
                await self._env.executor.stop(container_id)
            exit_ = await exiting
        except NotFound as error:
            raise ContainerGone from error
        finally:
            exiting.cancel()
            ailing.cancel()
            await asyncio.gather(exiting, ailing, return_exceptions=True)
        if exit_.code != 0 or cause:
            raise NonZeroExit(exit_, cause)

    async def shut_down(self) -> int | None:
        """Stop the container if it is there, take its files away, and return its exit code."""
        code = None
        container_id = self.container_id
        if container_id is not None:
            try:
                await self._withdraw(container_id)
                await self._env.executor.stop(container_id)
                code = (await self._env.executor.exited(container_id)).code
            except NotFound:
                log.info("task.container_gone", task_id=self._task.ID)
        await self._env.files.remove(self._task.ID)
        return code

    async def _withdraw(self, container_id: str) -> None:
        """Let nothing new come to a container that runs, before it is asked to end."""
        is_on_networks = any(each.Addresses for each in self._task.Networks)
        if is_on_networks and self._env.executor.running(container_id).pid:
            await self._env.settle(self._task.ID)
            await self._env.executor.drained(container_id)

    async def remove(self) -> None:
        """Leave nothing of the task, which is asked to end before; fine if there is nothing."""
        await self.shut_down()
        container_id = self.container_id
        if container_id is not None:
            await self._env.executor.remove(container_id)

    def _existing(self) -> str:
        container_id = self.container_id
        if container_id is None:
            raise ContainerGone
        return container_id

    async def _restore_files(self) -> None:
        """Lay the files down again where the machine was booted since: they were in memory."""
        if self._task.ID not in await self._env.files.tasks():
            await self._env.files.place(self._task.ID, self._env.contents(self._task))
