"""Readers of logs, and the nodes that are asked for them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from api.errors import SkepError, Unavailable
from api.types.logs import LogOptions, LogPosition
from api.types.tasks import TaskState, TaskStatus
from manager.core.logs.selection import Selection
from manager.core.objects.task import Task
from manager.loops import log_broker
from manager.loops.agent_sessions import AgentSessions
from manager.loops.log_broker import LogBroker, LogOrder, LogPiece, NobodyReads
from manager.ports.outcomes import NotLeader
from tests.fakes.clock import FakeClock
from tests.fakes.small_cluster import SmallCluster, small_cluster, until
from tests.unit.manager.loops.test_agent_sessions import ARRIVAL

WEB = Selection(service_ids=frozenset({"web"}))
FOLLOW = LogOptions(follow=True)


class Desk:
    """A broker, nodes that listen, and readers."""

    def __init__(self, cluster: SmallCluster) -> None:
        self.cluster = cluster
        self.clock = FakeClock()
        self.sessions = AgentSessions("m1", cluster.store, self.clock)
        self.broker = LogBroker(cluster.store, self.clock, self.sessions)
        self.orders: dict[str, list[LogOrder]] = {}
        self.sessions_of: dict[str, str] = {}
        self.parts = [asyncio.create_task(self.broker.run())]

    async def add_task(self, task_id: str, node_id: str, service_id: str = "web") -> None:
        status = TaskStatus(State=TaskState.RUNNING)
        task = Task(id=task_id, service_id=service_id, node_id=node_id, status=status)
        await self.cluster.store.update(lambda tx: tx.tasks.create(task))

    async def connect(self, node_id: str) -> asyncio.Task[None]:
        session_id = self.sessions_of[node_id] = await self.sessions.register(node_id, ARRIVAL)
        heard = self.orders[node_id] = []

        async def listen() -> None:
            with suppress(SkepError):
                async for order in self.broker.listen(node_id, session_id):
                    heard.append(order)

        part = asyncio.create_task(listen())
        self.parts.append(part)
        await asyncio.sleep(0.01)
        return part

    async def send(self, node_id: str, reading_id: str, *data: bytes, session: str = "") -> None:
        """Send pieces of a log to the end, as a node does; each is one line of the task t1."""
        session = session or self.sessions_of.get(node_id, "")

        async def pieces() -> AsyncIterator[LogPiece]:
            yield LogPiece(reading_id, session)
            for number, each in enumerate(data, start=1):
                position = LogPosition(number * 1000, 1)
                yield LogPiece(reading_id, session, each, task_id="t1", position=position)

        await self.broker.take_sent(node_id, pieces())

    def read(self, selection: Selection, options: LogOptions) -> Reader:
        reader = Reader(self.broker, selection, options)
        self.parts.append(reader.task)
        return reader

    async def order(self, node_id: str, number: int = 1) -> LogOrder:
        await until(lambda: len(self.orders[node_id]) >= number)
        return self.orders[node_id][number - 1]


class Reader:
    """Reads to the end."""

    def __init__(self, broker: LogBroker, selection: Selection, options: LogOptions) -> None:
        self.text = b""
        self.positions: dict[str, LogPosition] = {}
        self.task = asyncio.create_task(self._run(broker, selection, options))

    async def _run(self, broker: LogBroker, selection: Selection, options: LogOptions) -> None:
        async for passage in broker.read(selection, options):
            self.text += passage.data
            self.positions.update(passage.positions)


@asynccontextmanager
async def desk() -> AsyncIterator[Desk]:
    async with small_cluster(workers=2) as cluster:
        made = Desk(cluster)
        await made.add_task("t1", "w1")
        await made.add_task("t2", "w2")
        await made.add_task("other", "w1", "db")
        try:
            yield made
        finally:
            for part in made.parts:
                part.cancel()
            await asyncio.gather(*made.parts, return_exceptions=True)


async def test_each_node_is_asked_for_its_own_tasks() -> None:
    async with desk() as found:
        await found.connect("w1")
        await found.connect("w2")

        found.read(WEB, LogOptions())

        assert ("t1",) == (await found.order("w1")).task_ids
        assert ("t2",) == (await found.order("w2")).task_ids


async def test_reading_ends_when_all_nodes_have_sent_all() -> None:
    async with desk() as found:
        await found.connect("w1")
        await found.connect("w2")
        reader = found.read(WEB, LogOptions())
        reading_id = (await found.order("w1")).reading_id
        await found.order("w2")

        await found.send("w1", reading_id, b"one ")
        assert not reader.task.done()
        await found.send("w2", reading_id, b"two")

        await reader.task
        assert b"one two" == reader.text


async def test_absent_node_is_told_of_at_the_end() -> None:
    async with desk() as found:
        await found.connect("w1")
        reader = found.read(WEB, LogOptions())

        await found.send("w1", (await found.order("w1")).reading_id)

        await reader.task
        assert b"node w2 is not available" in reader.text
        assert reader.text.startswith(b"\3")


async def test_task_that_comes_is_followed_too() -> None:
    async with desk() as found:
        await found.connect("w1")
        await found.connect("w2")
        found.read(WEB, FOLLOW)
        await found.order("w1")

        await found.add_task("t3", "w1")

        assert ("t3",) == (await found.order("w1", 2)).task_ids


async def test_node_that_comes_back_goes_on_behind_what_was_read() -> None:
    """Whichever of its streams was noticed to be gone first."""
    async with desk() as found:
        session = await found.connect("w1")
        reader = found.read(WEB, FOLLOW)
        first = await found.order("w1")
        old_session = found.sessions_of["w1"]
        await found.send("w1", first.reading_id, b"one ", b"two ")
        session.cancel()
        await asyncio.gather(session, return_exceptions=True)

        await found.connect("w1")

        order = await found.order("w1")
        assert {"t1": LogPosition(2000, 1)} == order.positions
        assert (FOLLOW, ("t1",)) == (order.options, order.task_ids)
        with pytest.raises(NobodyReads):
            await found.send("w1", first.reading_id, b"late", session=old_session)
        await found.send("w1", order.reading_id, b"three")
        await until(lambda: reader.text == b"one two three")


async def test_tasks_that_are_gone_are_asked_for_no_more() -> None:
    """A service that crashes for days may be followed all the while."""
    async with desk() as found:
        await found.connect("w1")
        found.read(WEB, FOLLOW)
        await found.order("w1")
        await found.add_task("t3", "w1")
        await found.order("w1", 2)
        await found.cluster.store.update(lambda tx: tx.tasks.remove("t1"))
        await asyncio.sleep(0.01)

        await found.connect("w1")

        assert ("t3",) == (await found.order("w1")).task_ids


async def test_node_that_is_back_before_it_was_missed_is_asked_again_too() -> None:
    async with desk() as found:
        await found.connect("w1")
        found.read(WEB, FOLLOW)
        await found.order("w1")

        await found.connect("w1")

        assert ("t1",) == (await found.order("w1")).task_ids


async def test_what_a_node_broke_off_is_told_at_the_end() -> None:
    async with desk() as found:
        await found.connect("w1")
        reader = found.read(Selection(task_ids=frozenset({"t1"})), LogOptions())
        order = await found.order("w1")

        async def broken() -> AsyncIterator[LogPiece]:
            yield LogPiece(order.reading_id, found.sessions_of["w1"], b"one")
            raise Unavailable("the connection broke")

        with pytest.raises(Unavailable):
            await found.broker.take_sent("w1", broken())

        await reader.task
        assert b"node w1 broke off" in reader.text


async def test_reader_that_leaves_ends_the_work_of_the_nodes() -> None:
    async with desk() as found:
        await found.connect("w1")
        reader = found.read(WEB, FOLLOW)
        reading_id = (await found.order("w1")).reading_id

        reader.task.cancel()

        assert (await found.order("w1", 2)).is_close
        with pytest.raises(NobodyReads):
            await found.send("w1", reading_id, b"late")


async def test_reader_that_stalls_is_dropped_with_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_broker, "PATIENCE_S", 0.01)
    async with desk() as found:
        await found.connect("w1")
        pieces = found.broker.read(WEB, FOLLOW)
        first = asyncio.ensure_future(anext(pieces))
        reading_id = (await found.order("w1")).reading_id
        await found.send("w1", reading_id, b"first")
        assert b"first" == (await first).data

        with pytest.raises(NobodyReads):
            await found.send("w1", reading_id, bytes(log_broker.PIPE_BYTES), b"more")

        rest = b"".join([each.data async for each in pieces])
        assert b"did not keep up" in rest


async def test_other_nodes_cannot_write_into_a_reading() -> None:
    async with desk() as found:
        await found.connect("w1")
        found.read(Selection(task_ids=frozenset({"t1"})), FOLLOW)
        reading_id = (await found.order("w1")).reading_id

        with pytest.raises(NobodyReads):
            await found.send("w2", reading_id, b"forged")


async def test_reading_of_a_leader_before_goes_on_with_the_next() -> None:
    async with desk() as found:
        await found.connect("w1")
        reader = found.read(WEB, FOLLOW)
        await found.send("w1", (await found.order("w1")).reading_id, b"one", b"two")
        await until(lambda: reader.text == b"onetwo")

        found.broker.close()

        with pytest.raises(NotLeader):
            await reader.task
        assert {"t1": LogPosition(2000, 1)} == reader.positions
        pieces = found.broker.read(WEB, FOLLOW, reader.positions)
        going_on = asyncio.ensure_future(anext(pieces))
        order = await found.order("w1", 3)
        assert (reader.positions, ("t1",)) == (order.positions, order.task_ids)
        going_on.cancel()
        await asyncio.gather(going_on, return_exceptions=True)
