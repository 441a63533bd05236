"""Logs of tasks: readers ask, nodes are told whose logs are wanted, and send them.

A reading is a client's request. Each has a bounded pipe of its own: a reader that does not keep up
slows down the nodes that serve it, in what they serve it; one that stalls is dropped.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import structlog

from api.errors import NotFound, SkepError
from api.frames import Stream, pack_frame
from api.ids import new_object_id
from api.types.logs import LogOptions, LogPosition
from manager.core.logs.selection import Selection, incomplete
from manager.core.objects.task import Task
from manager.core.store.apply import Event
from manager.core.store.command import Action
from manager.core.store.query import View
from manager.core.store.tables import TASKS
from manager.core.store.watch import Match
from manager.loops.agent_sessions import AgentSessions
from manager.loops.feed import NEVER, follow
from manager.loops.pipe import Pipe, Stalled
from manager.ports.clock import Clock
from manager.ports.outcomes import NotLeader
from manager.ports.store import Store

log = structlog.get_logger(__name__)

PIPE_BYTES = 1 << 20
PATIENCE_S = 60.0
_STALLED = "Error grabbing logs: the reader did not keep up, and was dropped\n"


class NobodyReads(NotFound):
    """The reading has ended."""

    def __init__(self) -> None:
        super().__init__("nobody reads these logs any more")


@dataclass(frozen=True, slots=True)
class LogOrder:
    """What a node is asked for: a reading begun, extended or gone on with, or ended.

    positions: how far the reader has the logs of tasks already.
    """

    reading_id: str
    options: LogOptions
    task_ids: tuple[str, ...] = ()
    is_close: bool = False
    positions: Mapping[str, LogPosition] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LogPiece:
    """What a node sends: of which reading, the frames, how far a task's log is read by them.

    problem: why the log of a task cannot be read.
    """

    reading_id: str
    session_id: str
    data: bytes = b""
    problem: str = ""
    task_id: str = ""
    position: LogPosition | None = None


@dataclass(frozen=True, slots=True)
class Passage:
    """What a reader gets next; positions: how far the logs of tasks are read with it."""

    data: bytes
    positions: Mapping[str, LogPosition] = field(default_factory=dict)


class LogBroker:
    """Readings of one term of leadership."""

    def __init__(self, store: Store, clock: Clock, sessions: AgentSessions) -> None:
        self._store = store
        self._clock = clock
        self._sessions = sessions
        self._readings: dict[str, _Reading] = {}
        self._nodes: dict[str, _Listener] = {}

    async def run(self) -> None:
        """Extend readings to the tasks that come, until cancelled."""
        await follow(self, self._store, self._clock, Match(TASKS))

    def look(self, view: View) -> None:
        """Extend all readings that follow."""
        for reading in self._readings.values():
            if reading.options.follow:
                self._ask(reading, reading.selection.tasks(view))

    def take(self, event: Event) -> None:
        """Extend the readings that follow to a task that has got its node; forget it at its end."""
        for reading in self._readings.values():
            if not reading.options.follow or not reading.selection.has(event.object):
                continue
            if event.action is Action.REMOVE:
                reading.forget(event.object)
            else:
                self._ask(reading, [event.object])

    async def act(self) -> float:
        """Nothing is left to do: what is asked for is told at once."""
        return NEVER

    def close(self) -> None:
        """End all readings: this manager leads no more."""
        for reading in self._readings.values():
            reading.is_deposed = True
            reading.pipe.end()

    async def read(
        self,
        selection: Selection,
        options: LogOptions,
        positions: Mapping[str, LogPosition] = MappingProxyType({}),
    ) -> AsyncGenerator[Passage, None]:
        """Yield what the nodes send, to the end, or while somebody reads if that follows.

        positions: how far the reader has the logs of tasks already.
        Errors:  NotLeader when leadership is lost.
        """
        reading = _Reading(new_object_id(), selection, options, positions=dict(positions))
        self._readings[reading.id] = reading
        try:
            self._ask(reading, selection.tasks(self._store.view()))
            reading.end_if_whole()
            while (data := await reading.pipe.read()) is not None:
                # All that was written is read, so it is read as far as the positions say.
                yield Passage(data, reading.moved())
            if reading.is_deposed:
                raise NotLeader
            if reading.last_word:
                yield Passage(pack_frame(Stream.SYSTEM, reading.last_word.encode()))
        finally:
            reading.pipe.end()
            del self._readings[reading.id]
            for node_id in reading.asked:
                if (listener := self._nodes.get(node_id)) is not None:
                    listener.order(LogOrder(reading.id, options, is_close=True))

    async def listen(self, node_id: str, session_id: str) -> AsyncIterator[LogOrder]:
        """Yield what is asked of a node, while its session lasts.

        Errors:  NoSession at its end; NotLeader when leadership is lost.
        """
        listener = _Listener(session_id)
        self._sessions.attach(node_id, session_id, listener.close)
        if node_id in self._nodes:
            self._lose(node_id)
        self._nodes[node_id] = listener
        try:
            for reading in self._readings.values():
                self._ask_again(reading, node_id)
            while True:
                for order in await listener.orders():
                    yield order
        finally:
            if self._nodes.get(node_id) is listener:
                del self._nodes[node_id]
                self._lose(node_id)

    async def take_sent(self, node_id: str, pieces: AsyncIterator[LogPiece]) -> None:
        """Take what a node sends for one order of a reading, to its end. Errors: NobodyReads."""
        piece: LogPiece | None = None
        problem = f"node {node_id} broke off"
        try:
            async for piece in pieces:
                await self._publish(node_id, piece)
            problem = ""
        finally:
            if piece is not None and self._is_of_session(node_id, piece.session_id):
                reading = self._readings.get(piece.reading_id)
                if reading is not None:
                    reading.finish(node_id, problem)

    async def _publish(self, node_id: str, piece: LogPiece) -> None:
        reading = self._readings.get(piece.reading_id)
        if (
            reading is None
            or node_id not in reading.asked
            or reading.is_over
            or not self._is_of_session(node_id, piece.session_id)
        ):
            raise NobodyReads
        if piece.problem:
            reading.problems.append(piece.problem)
        if not piece.data:
            return
        try:
            await reading.pipe.write(piece.data)
        except Stalled as error:
            log.warning("logs.reader_dropped", reading_id=piece.reading_id)
            reading.fail(_STALLED)
            raise NobodyReads from error
        if piece.position is not None and piece.task_id in reading.asked[node_id]:
            reading.positions[piece.task_id] = piece.position
            reading.fresh.add(piece.task_id)

    def _is_of_session(self, node_id: str, session_id: str) -> bool:
        """Tell whether something comes of the session in which the node is asked."""
        listener = self._nodes.get(node_id)
        return listener is not None and listener.session_id == session_id

    def _lose(self, node_id: str) -> None:
        for reading in self._readings.values():
            reading.lose(node_id)

    def _ask(self, reading: _Reading, tasks: Iterable[Task]) -> None:
        """Ask nodes for the logs of tasks that they were not asked for yet, each node once."""
        fresh: dict[str, list[str]] = {}
        for task in tasks:
            asked = reading.asked.setdefault(task.node_id, set())
            if task.id not in asked:
                asked.add(task.id)
                fresh.setdefault(task.node_id, []).append(task.id)
        for node_id, task_ids in fresh.items():
            if node_id in self._nodes:
                self._order(reading, node_id, task_ids)
            else:
                reading.miss(node_id)

    def _ask_again(self, reading: _Reading, node_id: str) -> None:
        """Ask a node that has come back for what comes after that which is here already."""
        if not reading.asked.get(node_id) or not reading.options.follow:
            return
        self._order(reading, node_id, sorted(reading.asked[node_id]))

    def _order(self, reading: _Reading, node_id: str, task_ids: Sequence[str]) -> None:
        positions = {id_: reading.positions[id_] for id_ in task_ids if id_ in reading.positions}
        order = LogOrder(reading.id, reading.options, tuple(task_ids), positions=positions)
        reading.pending[node_id] = reading.pending.get(node_id, 0) + 1
        self._nodes[node_id].order(order)


@dataclass(slots=True)
class _Reading:
    """What one client reads.

    asked: tasks by node; pending: how many orders each node has not answered whole yet; positions:
    how far the logs of tasks were sent; fresh: of which tasks the reader has not heard that yet;
    last_word: what the reader is told at the end; is_deposed: this manager leads no more.
    """

    id: str
    selection: Selection
    options: LogOptions
    pipe: Pipe = field(default_factory=lambda: Pipe(PIPE_BYTES, PATIENCE_S))
    asked: dict[str, set[str]] = field(default_factory=dict)
    pending: dict[str, int] = field(default_factory=dict)
    positions: dict[str, LogPosition] = field(default_factory=dict)
    fresh: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)
    last_word: str = ""
    is_deposed: bool = False

    @property
    def is_over(self) -> bool:
        """Tell whether nothing more is taken in."""
        return bool(self.last_word) or self.is_deposed

    def moved(self) -> Mapping[str, LogPosition]:
        """Return the positions that are new since the last time."""
        fresh, self.fresh = self.fresh, set()
        return {task_id: self.positions[task_id] for task_id in fresh}

    def forget(self, task: Task) -> None:
        """Know nothing more of a task that is gone: who follows for long sees many."""
        self.asked.get(task.node_id, set()).discard(task.id)
        self.positions.pop(task.id, None)
        self.fresh.discard(task.id)

    def miss(self, node_id: str) -> None:
        """Note that a node is not there to be asked; whoever follows waits for it."""
        if not self.options.follow:
            self.problems.append(f"node {node_id} is not available")

    def lose(self, node_id: str) -> None:
        """Note that a node is gone; what it was asked for and has not sent does not come."""
        if self.pending.pop(node_id, 0):
            self.miss(node_id)
            self.end_if_whole()

    def finish(self, node_id: str, problem: str) -> None:
        """Note that a node has answered an order, or why it has not."""
        if problem:
            self.problems.append(problem)
        left = self.pending.pop(node_id, 0) - 1
        if left > 0:
            self.pending[node_id] = left
        self.end_if_whole()

    def end_if_whole(self) -> None:
        if not self.options.follow and not self.pending:
            if self.problems and not self.last_word:
                self.last_word = incomplete(dict.fromkeys(self.problems))
            self.pipe.end()

    def fail(self, word: str) -> None:
        self.last_word = word
        self.pipe.end()


class _Listener:
    """Orders that a node has not heard yet, in one session."""

    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
        self._orders: list[LogOrder] = []
        self._end: SkepError | None = None
        self._woken = asyncio.Event()

    def order(self, order: LogOrder) -> None:
        self._orders.append(order)
        self._woken.set()

    def close(self, why: SkepError) -> None:
        self._end = why
        self._woken.set()

    async def orders(self) -> list[LogOrder]:
        """Return the next orders. Errors: why the session ended."""
        await self._woken.wait()
        self._woken.clear()
        if self._end is not None:
            raise self._end
        orders, self._orders = self._orders, []
        return orders
