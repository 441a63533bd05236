"""Shared downloads: once for all, cancelled when nobody waits."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from api.errors import Internal
from engine.images.transfers import Report, Transfers
from engine.settings import LiveSettings, Settings


@dataclass
class Ear:
    """A listener that remembers."""

    heard: list[str | int] = field(default_factory=list)
    was_queued: asyncio.Event = field(default_factory=asyncio.Event)

    def queued(self) -> None:
        """Remember."""
        self.was_queued.set()
        self.heard.append("queued")

    def moved(self, current: int) -> None:
        """Remember."""
        self.heard.append(current)


@dataclass
class Work:
    """A transfer that runs until it is let go."""

    begun: asyncio.Event = field(default_factory=asyncio.Event)
    go: asyncio.Event = field(default_factory=asyncio.Event)
    runs: int = 0
    cancelled: int = 0

    async def __call__(self, report: Report) -> None:
        """Run."""
        self.runs += 1
        report(self.runs)
        self.begun.set()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


def transfers(slots: int = 3) -> Transfers:
    """Return a set of transfers."""
    return Transfers(LiveSettings(Settings(max_concurrent_downloads=slots)))


async def test_many_who_ask_share_one_transfer() -> None:
    """It runs once and all hear of it."""
    shared, work, ears = transfers(), Work(), [Ear(), Ear()]
    waits = [asyncio.create_task(shared.share("k", work, ear)) for ear in ears]
    await work.begun.wait()

    work.go.set()
    await asyncio.gather(*waits)

    assert 1 == work.runs
    assert [[1], [1]] == [ear.heard for ear in ears]


async def test_one_who_leaves_does_not_end_what_others_wait_for() -> None:
    """Only the last one does, and a new one starts anew."""
    shared, work = transfers(), Work()
    first, second = (asyncio.create_task(shared.share("k", work, Ear())) for _ in range(2))
    await work.begun.wait()

    first.cancel()
    await asyncio.wait([first])
    assert 0 == work.cancelled
    second.cancel()
    await asyncio.wait([second])
    assert 1 == work.cancelled

    work.go.set()
    await shared.share("k", work, Ear())
    assert 2 == work.runs


async def test_an_error_reaches_everybody_and_is_not_kept() -> None:
    """The next try may go well."""
    shared = transfers()

    async def fail(_: Report) -> None:
        raise Internal("no")

    found = await asyncio.gather(
        *(shared.share("k", fail, Ear()) for _ in range(2)), return_exceptions=True
    )

    assert all(isinstance(each, Internal) for each in found)
    with pytest.raises(Internal):
        await shared.share("k", fail, Ear())


async def test_no_more_run_than_there_are_slots() -> None:
    """Who waits is told."""
    shared, first, second, ear = transfers(1), Work(), Work(), Ear()
    running = asyncio.create_task(shared.share("a", first, Ear()))
    await first.begun.wait()
    waiting = asyncio.create_task(shared.share("b", second, ear))
    await ear.was_queued.wait()

    assert ["queued"] == ear.heard
    assert 0 == second.runs
    first.go.set()
    second.go.set()
    await asyncio.gather(running, waiting)
    assert 1 == second.runs


async def test_closing_cancels_everything() -> None:
    """At the end of the daemon."""
    shared, work = transfers(), Work()
    waiting = asyncio.create_task(shared.share("k", work, Ear()))
    await work.begun.wait()

    await shared.close()

    assert 1 == work.cancelled
    await asyncio.wait([waiting])
