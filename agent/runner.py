"""One task, driven from where it is to where the managers want it: step by step, each told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from msgspec.structs import replace

from agent.controller import Controller, NonZeroExit
from agent.core.step import Call, Step, Wish, failed, is_over, step, wish_of
from agent.swarm.signal import Signal
from api.errors import SkepError
from api.types.assignments import AssignedTask
from api.types.tasks import UNHEALTHY, ContainerStatus, PortStatus, TaskState, TaskStatus

log = structlog.get_logger(__name__)

# Words of a registry, or of a program, may be of any length.
_LONGEST_ERROR = 4000

# Keeps and tells what was seen of a task.
Observe = Callable[[AssignedTask, TaskStatus], Awaitable[None]]


class TaskRunner:
    """Runs one task from `run` until it is cancelled; `update` says what is wanted by now."""

    def __init__(
        self,
        task: AssignedTask,
        status: TaskStatus,
        controller: Controller,
        now: Callable[[], str],
        observe: Observe,
    ) -> None:
        self.task = task
        self.status = status
        self._controller = controller
        self._now = now
        self._observe = observe
        self._changed = Signal()

    @property
    def container_id(self) -> str | None:
        """The id of the task's container while it is there."""
        return self._controller.container_id

    def update(self, task: AssignedTask) -> None:
        """Take over what the managers want by now; what a task is made of never changes."""
        self.task = replace(self.task, DesiredState=max(self.task.DesiredState, task.DesiredState))
        self._changed.give()

    async def run(self) -> None:
        """Drive the task until it is over."""
        while not is_over(self.status.State):
            todo = step(self.status.State, self.task.DesiredState)
            if todo is None:
                await self._changed.next()
                continue
            try:
                is_done, exit_code = await self._perform(todo)
            except SkepError as error:
                await self._fail(error)
            else:
                if is_done:
                    await self._advance(todo, exit_code)

    async def remove(self) -> None:
        """Leave nothing of the task behind. Errors: SkepError."""
        await self._controller.remove()

    async def give_up(self, reason: str) -> None:
        """End a task that cannot be driven any further."""
        await self._fail(SkepError(reason))

    async def _perform(self, todo: Step) -> tuple[bool, int | None]:
        """Do a step; return whether it was done, and an exit code where one is known by it.

        A task that is to end while it does something else is interrupted.
        """
        if todo.call is Call.MARK:
            return True, None
        work = asyncio.ensure_future(self._call(todo.call))
        watch = asyncio.ensure_future(self._until_interrupted(todo))
        try:
            await asyncio.wait({work, watch}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            watch.cancel()
            work.cancel()
            await asyncio.gather(work, watch, return_exceptions=True)
        if work.cancelled():
            return False, None
        return True, work.result()

    async def _until_interrupted(self, todo: Step) -> None:
        if todo.call is Call.SHUT_DOWN:
            await asyncio.get_running_loop().create_future()
        await self._changed.until(lambda: wish_of(self.task.DesiredState) is Wish.END)

    async def _call(self, call: Call) -> int | None:
        match call:
            case Call.PREPARE:
                await self._controller.prepare()
            case Call.START:
                await self._controller.start()
            case Call.WAIT:
                await self._controller.wait(self._ail)
                return 0
            case Call.SHUT_DOWN:
                return await self._controller.shut_down()
            case _:
                raise AssertionError(call)
        return None

    async def _advance(self, todo: Step, exit_code: int | None) -> None:
        await self._see(replace(self.status, State=todo.state, Message=todo.message), exit_code)

    async def _fail(self, error: SkepError) -> None:
        state = failed(self.status.State)
        log.info("task.failed", task_id=self.task.ID, state=state.value, error=error.message)
        code = error.exit_code if isinstance(error, NonZeroExit) else None
        await self._see(replace(self.status, State=state, Err=error.message[:_LONGEST_ERROR]), code)

    async def _ail(self) -> None:
        """Tell that the container is unhealthy: it runs yet, and is to get nothing new."""
        self.status = replace(self.status, Timestamp=self._now(), Err=UNHEALTHY)
        await self._observe(self.task, self.status)

    async def _see(self, status: TaskStatus, exit_code: int | None) -> None:
        assert status.State > self.status.State, "an observed state only moves forward"
        self.status = replace(
            status,
            Timestamp=self._now(),
            ContainerStatus=self._container(exit_code),
            PortStatus=self._ports(status.State),
        )
        await self._observe(self.task, self.status)

    def _container(self, exit_code: int | None) -> ContainerStatus | None:
        seen = self.status.ContainerStatus
        container_id = self._controller.container_id
        if container_id is None and seen is None:
            return None
        running = self._controller.running() if container_id is not None else None
        before = seen or ContainerStatus()
        return ContainerStatus(
            ContainerID=container_id or before.ContainerID,
            PID=running.pid if running is not None else 0,
            ExitCode=before.ExitCode if exit_code is None else exit_code,
        )

    def _ports(self, state: TaskState) -> PortStatus:
        if state is not TaskState.RUNNING:
            return PortStatus()
        running = self._controller.running()
        return PortStatus(list(running.ports)) if running is not None else PortStatus()
