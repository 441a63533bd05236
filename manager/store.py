"""The replicated store: views, updates, batches and watches over the log.

Reads never wait: a view is the immutable state of now. Writes are functions of a transaction. They
run on the leader; while one log entry is on its way, those that wait are gathered into the next.
"""

from __future__ import annotations

import asyncio
import gc
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from types import TracebackType
from typing import Any, Final, TypeVar

from api.errors import SkepError, Unavailable
from manager.core.store.apply import Event, apply
from manager.core.store.codec import Reader
from manager.core.store.command import decode_command
from manager.core.store.dump import dump, load
from manager.core.store.entry import Change, EntryBuilder, EntryLimits, NoRoom
from manager.core.store.query import View
from manager.core.store.state import State, empty_state
from manager.core.store.transaction import Transaction
from manager.core.store.watch import PENDING_EVENTS, Mailbox, Match, Watchers
from manager.ports.outcomes import NotDone, OutcomeUnknown
from manager.ports.proposer import Proposer

R = TypeVar("R")

MAX_WAITING: Final = 10_000
MAX_ATTEMPTS: Final = 10


class TooManyWaiting(Unavailable):
    """The log does not keep up."""

    def __init__(self) -> None:
        super().__init__(f"{MAX_WAITING} changes are waiting to be committed: try again later")


class _Stopped(NotDone):
    def __init__(self) -> None:
        super().__init__("this manager is stopping")


class _Overtaken(NotDone):
    def __init__(self) -> None:
        super().__init__("the state changed under this change again and again")


class Store:
    """The cluster's state on this manager, and the one way to change it.

    It is the state machine that consensus applies entries to. `run` must be running for updates
    to end; a root or a supervisor holds it.
    """

    def __init__(self, now_ns: Callable[[], int], limits: EntryLimits | None = None) -> None:
        self._now_ns = now_ns
        self._limits = limits or EntryLimits()
        self._state = empty_state()
        self._reader = Reader()
        self._watchers = Watchers(self._state.version)
        self._queue = _Queue()
        self._voids: deque[int] = deque(maxlen=64)
        self.changes = 0
        """How many objects were changed since this manager began."""
        self._under_way: EntryBuilder | None = None
        self._gathered: list[_Batch] = []

    # Reading

    def view(self) -> View:
        """Return the state of now; what is committed later does not show in it."""
        return View(self._state)

    def watch(
        self, *matches: Match[Any], since: int | None = None, limit: int = PENDING_EVENTS
    ) -> Subscription:
        """Return the changes from now on, or after the version `since`; close it in the end.

        `view()` and then `watch(..., since=view.version)`, or without awaiting in between without
        it, misses nothing. Errors: LaggedBehind when `since` is further back than is kept.
        """
        return Subscription(self._watchers, matches, since, limit)

    # Writing

    async def update(self, change: Change[R]) -> R:
        """Run a change and return what it returned, once what it wrote is committed and applied.

        The change may be run more than once, so it does nothing but read and write its transaction.
        What it raises is raised here, and then it wrote nothing. Also when it wrote nothing, this
        returns only when it is certain that what it read was not stale.
        Errors:  those of the change; ChangeTooLarge; NotDone (NotLeader among them): certainly not
                 done; OutcomeUnknown: it may have been done, or may be yet; Unavailable.
        """
        one = _Batch(iter((change,)))
        self._queue.add(one)
        results: list[R] = await one.done
        return results[0]

    async def batch(self, changes: Iterable[Change[R]]) -> list[R]:
        """Run many changes in order, in as few entries as their limits allow; return the results.

        Each change is whole or not at all; together they are not: when one raises, those before it
        are committed, it and those after it are not done, and it is raised here.
        Errors:  as `update`.
        """
        batch = _Batch(iter(changes))
        self._queue.add(batch)
        return await batch.done

    async def run(self, proposer: Proposer) -> None:
        """Commit what is waiting, until cancelled; then what is left fails."""
        try:
            while True:
                await self._queue.wait()
                await self._commit(proposer)
        finally:
            self._queue.close()

    async def _commit(self, proposer: Proposer) -> None:
        """Gather an entry, propose it, tell those who wait for it."""
        base = self._state
        builder = EntryBuilder(base, self._now_ns(), self._limits, self._reader)
        self._gathered = gathered = self._queue.gather(builder)
        if not gathered:
            return
        try:
            is_valid = await self._is_committed(proposer, builder, base)
        except SkepError as error:
            for batch in gathered:
                batch.fail(error)
            return
        except BaseException:
            for batch in gathered:
                batch.fail(OutcomeUnknown())
            raise
        for batch in gathered:
            if is_valid:
                batch.settle()
            else:
                batch.repeat()
        self._queue.put_back([batch for batch in gathered if not batch.done.done()])

    async def _is_committed(self, proposer: Proposer, builder: EntryBuilder, base: State) -> bool:
        """Tell whether what was gathered holds; if not, it was built on a state that is past."""
        if builder.is_empty:
            await proposer.read_barrier()
            return self._state is base
        data = builder.encode()
        self._under_way = builder
        try:
            index = await proposer.propose(data)
        finally:
            self._under_way = None
        return index not in self._voids

    # The state machine of consensus

    def apply(self, index: int, data: bytes) -> None:
        """Apply a committed command. Errors: UnreadableState; the manager must stop then."""
        ours = self._under_way
        adopted = None if ours is None else ours.adopt(self._state, index, data)
        applied = adopted or apply(self._state, decode_command(data), index, self._reader)
        if applied.is_void:
            self._voids.append(index)
        self._state = applied.state
        if applied is adopted:
            # It is committed and applied: its authors need not wait for the proposal's own end.
            for batch in self._gathered:
                batch.settle()
        self._watchers.publish(index, applied.events)
        self.changes += len(applied.events)

    def dump(self) -> Iterator[bytes]:
        """Return the state as of now in pieces; they may be taken in another thread."""
        return dump(self._state)

    def load(self, pieces: Iterable[bytes]) -> Callable[[int], None]:
        """Read a dump, in any thread; what is returned makes it the state, as of an index.

        Watchers are told then to look anew.
        Errors:  UnreadableState, and the state is as it was.
        """
        gc.disable()
        try:
            state = load(pieces, Reader())
        finally:
            gc.enable()
        return partial(self._become, state)

    def _become(self, state: State, index: int) -> None:
        assert state.version <= index, "a dump holds nothing from after it was made"
        self._state = state
        self._watchers.restart(state.version)
        gc.collect(1)
        gc.freeze()  # as `manager.collector` does it for what comes change by change


class Subscription:
    """Changes as they are committed: each item is the list of a command's events.

    `with store.watch(...) as changes: async for events in changes: ...`
    Errors:  LaggedBehind, from the iteration: read the state and watch again.
    """

    def __init__(
        self,
        watchers: Watchers,
        matches: tuple[Match[Any], ...],
        since: int | None,
        limit: int,
    ) -> None:
        self._watchers = watchers
        self._news = asyncio.Event()
        self._mailbox: Mailbox = watchers.add(matches, self._news.set, since=since, limit=limit)

    def __enter__(self) -> Subscription:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> list[Event]:
        while not (events := self.take()):
            self._news.clear()
            await self._news.wait()
        return events

    def take(self) -> list[Event]:
        """Return the next list without waiting; [] when there is none yet."""
        return self._mailbox.take()

    def close(self) -> None:
        """Hear no more."""
        self._watchers.remove(self._mailbox)


class _Batch:
    """Changes that wait in order, those that were run for the entry under way, and the results."""

    def __init__(self, changes: Iterator[Change[Any]]) -> None:
        self.done: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._changes = changes
        self._next: deque[Change[Any]] = deque()
        self._ran: list[Change[Any]] = []
        self._results: list[Any] = []
        self._committed: list[Any] = []
        self._error: Exception | None = None
        self._attempts = 0

    def run_next(self, builder: EntryBuilder) -> bool:
        """Run the next change; tell whether there is another. Errors: NoRoom."""
        change = self._peek()
        if change is None:
            return False
        try:
            result = builder.run(change)
        except NoRoom:
            raise
        except Exception as error:
            self._error = error
            return False
        self._ran.append(self._next.popleft())
        self._results.append(result)
        return self._peek() is not None

    def settle(self) -> None:
        """Count what was run as committed; end when there is no more. Once more does no harm."""
        self._committed += self._results
        self._ran, self._results, self._attempts = [], [], 0
        if self.done.done():
            return
        if self._error is not None:
            self.done.set_exception(self._error)
        elif not self._next:
            self.done.set_result(self._committed)

    def repeat(self) -> None:
        """Run the same again, on the state of now."""
        self._attempts += 1
        if self._attempts >= MAX_ATTEMPTS:
            self.fail(_Overtaken())
        self._next.extendleft(reversed(self._ran))
        self._ran, self._results, self._error = [], [], None

    def fail(self, error: Exception) -> None:
        """End with an error."""
        if not self.done.done():
            self.done.set_exception(error)

    def _peek(self) -> Change[Any] | None:
        """Return the next change; where the caller's iterator raises, one that raises the same."""
        if not self._next:
            try:
                self._next.append(next(self._changes))
            except StopIteration:
                return None
            except Exception as error:
                self._next.append(_raising(error))
        return self._next[0]


def _raising(error: Exception) -> Change[Any]:
    def change(_: Transaction) -> Any:
        raise error

    return change


class _Queue:
    """Who waits to be committed, first come first served; large batches take turns."""

    def __init__(self) -> None:
        self._waiting: deque[_Batch] = deque()
        self._news = asyncio.Event()
        self._is_closed = False

    def add(self, batch: _Batch) -> None:
        if self._is_closed:
            raise _Stopped
        if len(self._waiting) >= MAX_WAITING:
            raise TooManyWaiting
        self._waiting.append(batch)
        self._news.set()

    async def wait(self) -> None:
        await self._news.wait()

    def gather(self, builder: EntryBuilder) -> list[_Batch]:
        """Run what is waiting until the entry is full; return those that are part of it."""
        gathered = []
        while self._waiting and not builder.is_full:
            batch = self._waiting.popleft()
            if batch.done.done():
                continue
            gathered.append(batch)
            try:
                while batch.run_next(builder):
                    if builder.is_full:
                        break
            except NoRoom:
                break
        if not self._waiting:
            self._news.clear()
        return gathered

    def put_back(self, batches: list[_Batch]) -> None:
        """Those that are not at their end wait on, behind the others."""
        self._waiting.extend(batches)
        if self._waiting:
            self._news.set()

    def close(self) -> None:
        self._is_closed = True
        for batch in self._waiting:
            batch.fail(_Stopped())
        self._waiting.clear()
