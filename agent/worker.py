"""All tasks of this node: taken over from the managers, kept on disk, run, and ended.

Tasks go on without managers and over a restart of the daemon, since what is assigned and what was
seen of it are on the disk. Secrets are in memory alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from msgspec.structs import replace

from agent.controller import Controller, ControllerEnv
from agent.core.assignments import Assignments, Piece
from agent.core.backoff import Backoff
from agent.core.step import is_over
from agent.core.task_files import TaskFile, files_of
from agent.core.task_to_container import NodeFacts, TaskContainer, container_of
from agent.core.times import to_api_time
from agent.log_publisher import LogPublisher
from agent.overlay import NodeOverlays
from agent.ports.chance import Chance
from agent.ports.dispatcher import Dispatcher
from agent.ports.executor import Executor
from agent.ports.task_files import TaskFiles
from agent.ports.task_logs import TaskLogs
from agent.ports.task_records import TaskRecord, TaskRecords
from agent.reporter import Reporter
from agent.runner import TaskRunner
from agent.session import NoNews
from agent.swarm.signal import Signal
from api.errors import SkepError, Unsupported
from api.types.assignments import AssignedTask
from api.types.cluster_networks import ClusterNetwork
from api.types.tasks import TaskState, TaskStatus
from engine.ports.clock import Clock

log = structlog.get_logger(__name__)

# How long the end of a task may wait for managers to hear what it is to be ended for.
_TOLD_WITHIN_S = 3.0
_REMOVE_BACKOFF = Backoff(first_s=0.5, longest_s=60.0)
# What a crash after one of these would cost is only to do it again.
_CHEAP = frozenset({TaskState.ACCEPTED, TaskState.PREPARING, TaskState.STARTING})


@dataclass(frozen=True, slots=True)
class WorkerEnv:
    """What a worker needs; `node` tells of the node as it is now.

    `networks` are the cluster's that the node has, and those that tasks need.
    """

    executor: Executor
    files: TaskFiles
    records: TaskRecords
    logs: TaskLogs
    clock: Clock
    chance: Chance
    node: Callable[[], NodeFacts]
    networks: NodeOverlays


class Worker:
    """Runs the tasks while `run` runs."""

    def __init__(self, env: WorkerEnv) -> None:
        self._env = env
        self._assigned = Assignments()
        self._reporter = Reporter()
        self._seen = Signal()
        self._runners: dict[str, TaskRunner] = {}
        self._publisher = LogPublisher(env.logs, self._runners.get, self._seen)
        self._driving: dict[str, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._is_restored = asyncio.Event()
        self._controllers = ControllerEnv(
            executor=env.executor,
            files=env.files,
            container=self._container_of,
            contents=self._files_of,
            settle=self._settle,
        )

    async def run(self) -> None:
        """Go on with the tasks that are kept, and run those that come, until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                await self._restore()
                self._is_restored.set()
                await asyncio.get_running_loop().create_future()
        finally:
            await self._env.records.close()

    def part_of(self, dispatcher: Dispatcher, session_id: str) -> list[Coroutine[Any, Any, None]]:
        """Return what belongs to a session: assignments taken over, what became of them told, logs.

        Each raises the SkepError with which its calls fail.
        """
        is_assigned = asyncio.Event()
        return [
            self._listen(dispatcher, session_id, is_assigned),
            self._report(dispatcher, session_id, is_assigned),
            self._publisher.run(dispatcher, session_id),
        ]

    async def take_over(self, pieces: Sequence[Piece]) -> None:
        """Take over a whole change of the assignments. Errors: Internal."""
        before, after = self._assigned, self._assigned.changed(pieces)
        self._assigned = after
        fresh = [task for task in after.tasks.values() if before.tasks.get(task.ID) != task]
        for task in fresh:
            self._note(task)
        networks = [
            each for each in after.networks.values() if before.networks.get(each.ID) != each
        ]
        await self._put_networks(networks)
        await self._keep([task.ID for task in fresh if task.ID in self._runners], networks)
        for task in fresh:
            self._drive(task.ID)
        # Also what was kept from before the restart, and is not assigned any more.
        for task_id in [each for each in self._runners if each not in after.tasks]:
            self._end(task_id)

    async def _settle(self, task_id: str) -> None:
        """Return when all nodes know what is told of a task, or a short while has passed."""
        if not self._env.networks.is_told:
            return
        told = asyncio.ensure_future(self._reporter.told(task_id))
        limit = asyncio.ensure_future(self._env.clock.sleep(_TOLD_WITHIN_S))
        try:
            await asyncio.wait({told, limit}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            told.cancel()
            limit.cancel()
            await asyncio.gather(told, limit, return_exceptions=True)
        await self._env.networks.settle()

    async def _put_networks(self, networks: Sequence[ClusterNetwork]) -> None:
        for network in networks:
            try:
                await self._env.networks.put(network)
            except SkepError as error:
                # The tasks on it say so when they are to start.
                log.warning("network.not_put", network=network.ID, error=error.message)

    async def _restore(self) -> None:
        kept = await self._env.records.load()
        await self._put_networks([*kept.networks.values()])
        node_id = self._env.node().node_id
        foreign = [id_ for id_, each in kept.tasks.items() if each.task.NodeID != node_id]
        await self._env.records.remove(foreign)
        self._assigned = Assignments(
            tasks={id_: each.task for id_, each in kept.tasks.items() if id_ not in foreign},
            networks=kept.networks,
        )
        for task_id in await self._env.files.tasks() - set(self._assigned.tasks):
            await self._env.files.remove(task_id)
        for record in kept.tasks.values():
            if record.task.NodeID == node_id:
                self._add(record.task, record.status)
                self._drive(record.task.ID)

    async def _report(
        self, dispatcher: Dispatcher, session_id: str, is_assigned: asyncio.Event
    ) -> None:
        """Tell what becomes of tasks, once it is known which ones are the managers' still.

        A cluster that was restored from a backup knows nothing of some, and refuses their news.
        """
        await is_assigned.wait()
        await self._reporter.run(dispatcher, session_id)

    async def _listen(
        self, dispatcher: Dispatcher, session_id: str, is_assigned: asyncio.Event
    ) -> None:
        change: list[Piece] = []
        await self._is_restored.wait()
        try:
            async for piece in dispatcher.assignments(session_id):
                change.append(piece)
                if not piece.more_follows:
                    await self.take_over(change)
                    is_assigned.set()
                    change = []
        except Unsupported as error:
            log.warning("tasks.not_assigned", reason=error.message)
            await asyncio.get_running_loop().create_future()
        raise NoNews

    def _note(self, task: AssignedTask) -> None:
        runner = self._runners.get(task.ID)
        if runner is None:
            at_least = max(task.Status.State, TaskState.ASSIGNED)
            runner = self._add(task, replace(task.Status, State=at_least))
        else:
            runner.update(task)
        if runner.status.State > task.Status.State:
            self._reporter.report(task.ID, runner.status)

    def _add(self, task: AssignedTask, status: TaskStatus) -> TaskRunner:
        runner = TaskRunner(
            task,
            status,
            Controller(self._controllers, task),
            lambda: to_api_time(self._env.clock.now_ns()),
            self._observe,
        )
        self._runners[task.ID] = runner
        return runner

    def _drive(self, task_id: str) -> None:
        assert self._group is not None
        runner = self._runners[task_id]
        if task_id not in self._driving and not is_over(runner.status.State):
            self._driving[task_id] = self._group.create_task(
                _supervised(runner), name=f"task:{task_id}"
            )

    def _end(self, task_id: str) -> None:
        assert self._group is not None
        runner = self._runners.pop(task_id)
        self._reporter.forget(task_id)
        self._group.create_task(
            self._remove(runner, self._driving.pop(task_id, None)), name=f"task.remove:{task_id}"
        )

    async def _remove(self, runner: TaskRunner, driving: asyncio.Task[None] | None) -> None:
        if driving is not None:
            driving.cancel()
            await asyncio.wait({driving})
        failures = 0
        while True:
            try:
                await runner.remove()
                await self._env.records.remove([runner.task.ID])
            except SkepError as error:
                failures += 1
                log.warning("task.not_removed", task_id=runner.task.ID, error=error.message)
                await self._env.clock.sleep(_REMOVE_BACKOFF.wait_s(failures, self._env.chance()))
            else:
                return

    async def _observe(self, task: AssignedTask, status: TaskStatus) -> None:
        """Tell what was seen of a task, and keep it."""
        self._reporter.report(task.ID, status)
        self._seen.give()
        if status.State in _CHEAP:
            return
        try:
            await self._keep([task.ID])
        except SkepError as error:
            log.warning("task.not_kept", task_id=task.ID, error=error.message)

    async def _keep(self, task_ids: Sequence[str], networks: Sequence[ClusterNetwork] = ()) -> None:
        records = [
            TaskRecord(replace(runner.task, RegistryAuth=""), runner.status)
            for runner in (self._runners.get(each) for each in task_ids)
            if runner is not None
        ]
        if records or networks:
            await self._env.records.put(records, networks)

    def _container_of(self, task: AssignedTask) -> TaskContainer:
        return container_of(task, self._env.node(), self._assigned.networks)

    def _files_of(self, task: AssignedTask) -> Sequence[TaskFile]:
        assigned = self._assigned
        return files_of(task, self._env.node(), assigned.secrets, assigned.configs)


async def _supervised(runner: TaskRunner) -> None:
    """Drive a task; what nobody foresaw ends this one, and no other."""
    try:
        await runner.run()
    except Exception as error:  # the supervisor: one task's trouble stays its own
        log.exception("task.broke", task_id=runner.task.ID)
        await runner.give_up(f"internal error: {type(error).__name__}: {error}")
