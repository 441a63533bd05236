"""A worker that has nothing to do."""

from __future__ import annotations

import asyncio

from agent.core.task_to_container import NodeFacts
from agent.worker import Worker, WorkerEnv
from engine.ports.clock import Clock
from tests.fakes.executor import FakeExecutor
from tests.fakes.overlay_plane import idle_overlays
from tests.fakes.task_files import FakeTaskFiles
from tests.fakes.task_logs import FakeTaskLogs
from tests.fakes.task_records import FakeTaskRecords


def idle_worker(clock: Clock) -> Worker:
    """Return a worker among fakes."""
    return Worker(
        WorkerEnv(
            executor=FakeExecutor(),
            files=FakeTaskFiles(),
            records=FakeTaskRecords(),
            logs=FakeTaskLogs(),
            clock=clock,
            chance=lambda: 0.0,
            node=lambda: NodeFacts("self", "here", "linux", "x86_64"),
            networks=idle_overlays(clock),
        )
    )


async def silence() -> None:
    """Follow events that never come."""
    await asyncio.get_running_loop().create_future()
