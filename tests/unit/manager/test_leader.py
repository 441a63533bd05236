"""The leader's loops live as long as the leadership."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from manager.leader import Term, lead
from manager.ports.outcomes import NotDone
from tests.fakes.clock import FakeClock
from tests.fakes.small_cluster import until


class Office:
    """Terms that a test begins and ends."""

    def __init__(self) -> None:
        self.term = 0
        self.is_held = False
        self._moved = asyncio.Event()

    def move(self, term: int, *, is_held: bool) -> None:
        self.term, self.is_held = term, is_held
        self._moved.set()
        self._moved = asyncio.Event()

    async def gained(self) -> int:
        while not self.is_held:
            await self._moved.wait()
        return self.term

    async def lost(self, term: int) -> None:
        while self.is_held and self.term == term:
            await self._moved.wait()


class Bed:
    """What ran, in order: loops by name, and "close"."""

    def __init__(self) -> None:
        self.office = Office()
        self.clock = FakeClock()
        self.ran: list[str] = []
        self.failures: list[Exception] = []

    def begin(self) -> Term:
        return Term({"loop": self._loop}, lambda: self.ran.append("close"))

    async def _loop(self) -> None:
        self.ran.append("begin")
        if self.failures:
            raise self.failures.pop(0)
        try:
            await asyncio.Event().wait()
        finally:
            self.ran.append("end")


@asynccontextmanager
async def leading() -> AsyncIterator[Bed]:
    bed = Bed()
    task = asyncio.create_task(lead(bed.office, bed.begin, bed.clock))
    try:
        yield bed
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_loops_run_while_this_manager_leads() -> None:
    async with leading() as bed:
        await asyncio.sleep(0)
        assert [] == bed.ran

        bed.office.move(1, is_held=True)
        await until(lambda: ["begin"] == bed.ran)
        bed.office.move(1, is_held=False)
        await until(lambda: ["begin", "end", "close"] == bed.ran)

        bed.office.move(3, is_held=True)
        await until(lambda: "begin" == bed.ran[-1])


async def test_next_term_begins_anew() -> None:
    """Between two own terms another leader may have changed anything."""
    async with leading() as bed:
        bed.office.move(1, is_held=True)
        await until(lambda: ["begin"] == bed.ran)

        bed.office.move(3, is_held=True)

        await until(lambda: ["begin", "end", "close", "begin"] == bed.ran)


async def test_loop_that_fails_is_begun_again_after_a_pause() -> None:
    async with leading() as bed:
        bed.failures += [ValueError("bug"), NotDone("leadership moves")]
        bed.office.move(1, is_held=True)
        await until(lambda: 1 == len(bed.ran))

        bed.clock.advance(0.1)
        await asyncio.sleep(0.01)
        assert 1 == len(bed.ran)
        bed.clock.advance(0.1)
        await until(lambda: 2 == len(bed.ran))
        bed.clock.advance(0.4)
        await until(lambda: 3 == len(bed.ran))

        assert ["begin"] * 3 == bed.ran


async def test_what_lives_with_the_term_is_closed_at_the_end_of_the_process() -> None:
    async with leading() as bed:
        bed.office.move(1, is_held=True)
        await until(lambda: ["begin"] == bed.ran)

    assert ["begin", "end", "close"] == bed.ran
