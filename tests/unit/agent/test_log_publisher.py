"""A node sends the logs that readers ask for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

from agent.log_publisher import LogPublisher
from agent.ports.dispatcher import LogOrder, LogPiece
from agent.runner import TaskRunner
from agent.swarm.signal import Signal
from api.types.assignments import AssignedTask
from api.types.logs import LogOptions, LogPosition
from api.types.tasks import TaskState, TaskStatus
from tests.fakes.dispatchers import FakeManager
from tests.fakes.small_cluster import until
from tests.fakes.task_logs import FakeTaskLogs


class Bench:
    """A publisher, the tasks of its node, and the manager that asks."""

    def __init__(self) -> None:
        self.logs = FakeTaskLogs()
        self.manager = FakeManager()
        self.seen = Signal()
        self.runners: dict[str, Any] = {}
        self.publisher = LogPublisher(self.logs, self._runner, self.seen)

    def add(self, task_id: str, container_id: str | None, state: TaskState) -> None:
        self.runners[task_id] = SimpleNamespace(
            task=AssignedTask(ID=task_id, ServiceID="s", NodeID="n"),
            container_id=container_id,
            status=TaskStatus(State=state),
        )
        self.seen.give()

    def _runner(self, task_id: str) -> TaskRunner | None:
        return cast("TaskRunner | None", self.runners.get(task_id))

    async def sent(self, reading_id: str, number: int) -> list[LogPiece | None]:
        await until(lambda: len(self.manager.published.get(reading_id, [])) >= number)
        return self.manager.published[reading_id]


@asynccontextmanager
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    part = asyncio.ensure_future(made.publisher.run(made.manager, "s1"))
    try:
        yield made
    finally:
        part.cancel()
        await asyncio.gather(part, return_exceptions=True)


def of_task(data: bytes) -> LogPiece:
    return LogPiece(data, task_id="t1")


async def test_a_log_goes_on_behind_what_the_reader_has() -> None:
    async with bench() as found:
        found.logs.chunks["c1"] = [b"three"]
        found.add("t1", "c1", TaskState.RUNNING)
        options = LogOptions(follow=True, tail=2)
        position = LogPosition(5000, 3)

        found.manager.orders.put_nowait(
            LogOrder("r1", options, ("t1",), positions={"t1": position})
        )

        await found.sent("r1", 1)
        assert LogOptions(follow=True, since_ns=5000, skip=3) == found.logs.asked[0][1]


async def test_whole_log_is_sent_with_its_context() -> None:
    async with bench() as found:
        found.logs.chunks["c1"] = [b"one", b"two"]
        found.add("t1", "c1", TaskState.RUNNING)

        found.manager.orders.put_nowait(LogOrder("r1", LogOptions(), ("t1",)))

        assert [of_task(b"one"), of_task(b"two"), None] == await found.sent("r1", 3)
        context = found.logs.asked[0][2]
        assert (
            "com.docker.swarm.node.id=n,com.docker.swarm.service.id=s,com.docker.swarm.task.id=t1"
            == context
        )


async def test_task_without_a_container_has_no_log() -> None:
    async with bench() as found:
        found.add("t1", None, TaskState.REJECTED)

        found.manager.orders.put_nowait(LogOrder("r1", LogOptions(), ("t1", "unknown")))

        assert [None] == await found.sent("r1", 1)


async def test_unreadable_log_is_a_problem_and_no_end() -> None:
    async with bench() as found:
        found.logs.chunks["c2"] = [b"two"]
        found.add("t1", "gone", TaskState.RUNNING)
        found.add("t2", "c2", TaskState.RUNNING)

        found.manager.orders.put_nowait(LogOrder("r1", LogOptions(), ("t1", "t2")))

        pieces = [each for each in await found.sent("r1", 3) if each is not None]
        assert [b"", b"two"] == sorted(each.data for each in pieces)
        assert any("t1" in each.problem for each in pieces)


async def test_follower_waits_for_a_task_to_run() -> None:
    async with bench() as found:
        found.logs.chunks["c1"] = [b"begun"]
        found.add("t1", None, TaskState.PREPARING)
        found.manager.orders.put_nowait(LogOrder("r1", LogOptions(follow=True), ("t1",)))
        await until(lambda: "r1" in found.manager.published)
        assert not found.logs.asked

        found.add("t1", "c1", TaskState.RUNNING)

        assert [of_task(b"begun")] == await found.sent("r1", 1)


async def test_order_to_close_ends_what_is_sent() -> None:
    async with bench() as found:
        found.logs.chunks["c1"] = [b"x"]
        found.add("t1", "c1", TaskState.RUNNING)
        found.manager.orders.put_nowait(LogOrder("r1", LogOptions(follow=True), ("t1",)))
        await found.sent("r1", 1)

        found.manager.orders.put_nowait(LogOrder("r1", LogOptions(), is_close=True))
        found.manager.orders.put_nowait(LogOrder("r2", LogOptions(), ("t1",)))

        await found.sent("r2", 2)
        assert [of_task(b"x")] == found.manager.published["r1"]
