"""How a loop follows the store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from manager.core.objects.node import Node
from manager.core.store.apply import Event
from manager.core.store.query import View
from manager.core.store.tables import NODES
from manager.core.store.transaction import Transaction
from manager.core.store.watch import Match
from manager.loops.feed import NEVER, follow
from tests.fakes.clock import FakeClock
from tests.fakes.small_cluster import SmallCluster, small_cluster, until, worker_node


class Listener:
    """Notes what it is told; acts when the test lets it."""

    def __init__(self) -> None:
        self.looks = 0
        self.taken: list[str] = []
        self.acts = 0
        self.pause_s = NEVER
        self.may_act = asyncio.Event()
        self.may_act.set()

    def look(self, view: View) -> None:
        self.looks += 1

    def take(self, event: Event) -> None:
        self.taken.append(event.object.id)

    async def act(self) -> float:
        await self.may_act.wait()
        self.acts += 1
        return self.pause_s


@asynccontextmanager
async def following(listener: Listener, clock: FakeClock) -> AsyncIterator[SmallCluster]:
    async with small_cluster() as cluster:
        loop = asyncio.create_task(follow(listener, cluster.store, clock, Match(NODES)))
        await until(lambda: listener.looks == 1)
        try:
            yield cluster
        finally:
            loop.cancel()
            await asyncio.gather(loop, return_exceptions=True)


async def add(cluster: SmallCluster, *numbers: int) -> None:
    for number in numbers:
        await cluster.store.update(partial(_create, worker_node(number)))


def _create(node: Node, tx: Transaction) -> None:
    tx.nodes.create(node)


async def test_idle_loop_acts_at_once_and_then_waits() -> None:
    listener = Listener()
    async with following(listener, FakeClock()) as cluster:
        await until(lambda: listener.acts == 1)

        await add(cluster, 1)

        await until(lambda: listener.acts == 2)
        assert ["w1"] == listener.taken


async def test_what_comes_while_it_acts_is_taken_together() -> None:
    listener = Listener()
    async with following(listener, FakeClock()) as cluster:
        await until(lambda: listener.acts == 1)
        listener.may_act.clear()
        await add(cluster, 1, 2, 3)
        await until(lambda: bool(listener.taken))
        listener.may_act.set()

        await until(lambda: len(listener.taken) == 3)
        await until(lambda: listener.acts >= 2)
        assert listener.acts <= 3


async def test_it_acts_again_when_its_pause_is_over_and_misses_nothing() -> None:
    listener, clock = Listener(), FakeClock()
    listener.pause_s = 5.0
    async with following(listener, clock) as cluster:
        await until(lambda: listener.acts == 1)
        await asyncio.sleep(0.01)

        clock.advance(5)

        await until(lambda: listener.acts == 2)
        await add(cluster, 1)
        await until(lambda: listener.taken == ["w1"])


async def test_loop_that_fell_behind_looks_at_all_anew() -> None:
    listener = Listener()
    async with following(listener, FakeClock()) as cluster:
        await until(lambda: listener.acts == 1)

        cluster.store.load(list(cluster.store.dump()))(cluster.log.index)

        await until(lambda: listener.looks == 2)
        await add(cluster, 7)
        await until(lambda: listener.taken == ["w7"])
