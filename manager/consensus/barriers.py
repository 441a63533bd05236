"""Linearizable reads: many readers share one round of confirmation."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable, Iterable

from api.swarm_errors import NoLeader
from manager.core.raft.errors import ProposalDropped
from manager.core.raft.ready import ReadState

_Waiter = asyncio.Future[None]


class Barriers:
    """Readers that wait for an index to be known, then for it to be applied.

    A reader joins the next round, never the one on its way: that one may have been confirmed
    before the reader came.
    """

    def __init__(
        self, ask: Callable[[bytes], None], *, mark: bytes, again_s: float, limit_s: float
    ) -> None:
        """Begin.

        ask:   has a read index asked for; raises ProposalDropped without a leader.
        mark:  tells the questions of this process from those of one before it, whose answers may
               still come.
        """
        self._mark = mark
        self._ask = ask
        self._again_s = again_s
        self._limit_s = limit_s
        self._numbers = itertools.count(1)
        self._next: list[_Waiter] = []
        self._asked: list[_Waiter] = []
        self._context = b""
        self._asked_s = 0.0
        self._known: list[tuple[int, int, list[_Waiter]]] = []
        self._applied = 0

    async def wait(self, now_s: float) -> None:
        """Return when all that was committed at the call is applied here. Errors: NoLeader."""
        waiter: _Waiter = asyncio.get_running_loop().create_future()
        self._next.append(waiter)
        if not self._asked:
            self._begin(now_s)
        if waiter.done():
            return
        try:
            async with asyncio.timeout(self._limit_s):
                await waiter
        except TimeoutError as error:
            raise NoLeader from error

    def answered(self, states: Iterable[ReadState], now_s: float) -> None:
        """Take in the answers of consensus."""
        for state in states:
            if self._asked and state.context == self._context:
                waiters, self._asked = self._asked, []
                heapq.heappush(self._known, (state.index, next(self._numbers), waiters))
                self._release()
        if self._next and not self._asked:
            self._begin(now_s)

    def applied(self, index: int) -> None:
        """Take in how far the state is."""
        self._applied = index
        if self._known:
            self._release()

    def tick(self, now_s: float) -> None:
        """Ask again where no answer came: leadership may have moved."""
        if (self._asked or self._next) and now_s - self._asked_s >= self._again_s:
            self._begin(now_s)

    def _begin(self, now_s: float) -> None:
        """Ask for all who wait; an answer to an earlier question is of no use any more."""
        self._asked = [each for each in self._asked + self._next if not each.done()]
        self._next = []
        self._asked_s = now_s
        self._context = self._mark + next(self._numbers).to_bytes(8, "big")
        if not self._asked:
            return
        try:
            self._ask(self._context)
        except ProposalDropped:
            self._next, self._asked = self._asked, []

    def _release(self) -> None:
        while self._known and self._known[0][0] <= self._applied:
            for waiter in heapq.heappop(self._known)[2]:
                if not waiter.done():
                    waiter.set_result(None)
