"""The local manager is there as long as it should be, whatever happens to its process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from agent.core.standing import ManagerPhase
from agent.ports.manager_process import ManagerArguments, ManagerFailed, Ready
from agent.supervisor import ManagerStatus, Supervisor
from api.manager_exit import REMOVED_CODE
from tests.fakes.clock import FakeClock
from tests.fakes.manager_process import FakeLauncher

ARGUMENTS = ManagerArguments(
    state_dir=Path("/state"),
    listen="0.0.0.0:2377",
    advertise="10.0.0.1:2377",
)
SERVES = Ready("node", locked=False)
SERVING = ManagerStatus(ManagerPhase.SERVING)


class Bed:
    """A supervisor among fakes."""

    def __init__(self, *words: Ready | ManagerFailed) -> None:
        self.launcher = FakeLauncher([*words])
        self.clock = FakeClock()
        self.told: list[ManagerStatus] = []
        self.supervisor = Supervisor(self.launcher, self.clock, lambda: 0.0, self._note)

    def _note(self) -> None:
        self.told.append(self.supervisor.status)

    @asynccontextmanager
    async def running(self, arguments: ManagerArguments = ARGUMENTS) -> AsyncIterator[None]:
        running = asyncio.ensure_future(self.supervisor.run(arguments))
        try:
            yield
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running

    async def until(self, condition: Callable[[], bool]) -> None:
        for _ in range(100):
            if condition():
                return
            await asyncio.sleep(0)
        pytest.fail("it does not come")

    async def until_serving(self, count: int) -> None:
        await self.until(
            lambda: len(self.launcher.launched) == count and self.supervisor.status == SERVING
        )


async def test_a_manager_serves_and_is_stopped_with_its_supervisor() -> None:
    bed = Bed(SERVES)

    async with bed.running():
        await bed.until_serving(1)

    assert ManagerStatus() == bed.supervisor.status
    assert 1 == bed.launcher.launched[0][1].stops
    phases = [each.phase for each in bed.told]
    assert [ManagerPhase.STARTING, ManagerPhase.SERVING, ManagerPhase.ABSENT] == phases


async def test_a_manager_that_was_removed_is_not_started_again() -> None:
    """Its raft member never comes back; the node becomes a worker, or has to leave."""
    bed = Bed(SERVES)

    async with bed.running():
        await bed.until_serving(1)
        bed.launcher.launched[0][1].end(REMOVED_CODE)
        await bed.until(lambda: bed.supervisor.status.phase is ManagerPhase.ABSENT)
        bed.clock.advance(3600)
        assert "was removed from the cluster" in bed.supervisor.status.error
        assert 1 == len(bed.launcher.launched)

    assert ManagerStatus() == bed.supervisor.status


async def test_a_manager_that_dies_is_started_again_after_growing_waits() -> None:
    """A manager that cannot live must not keep the machine busy."""
    bed = Bed(SERVES)

    async with bed.running():
        for count, wait_s in ((1, 0.1), (2, 0.2), (3, 0.4)):
            await bed.until_serving(count)
            bed.launcher.launched[-1][1].end(-9)
            await bed.until(lambda: bed.supervisor.status.phase is ManagerPhase.STARTING)
            assert "the manager ended with -9" == bed.supervisor.status.error
            bed.clock.advance(wait_s - 0.01)
            await asyncio.sleep(0)
            assert count == len(bed.launcher.launched)
            bed.clock.advance(0.02)
        await bed.until_serving(4)


async def test_long_service_makes_good_for_failures() -> None:
    bed = Bed(ManagerFailed("no"), ManagerFailed("no"), SERVES)

    async with bed.running():
        for count in (1, 2):
            await bed.until(lambda n=count: len(bed.launcher.launched) == n)  # type: ignore[misc] # bound
            await asyncio.sleep(0)
            bed.clock.advance(1)
        await bed.until_serving(3)
        bed.clock.advance(60)
        bed.launcher.launched[-1][1].end(1)
        await bed.until(lambda: bed.supervisor.status != SERVING)
        bed.clock.advance(0.11)
        await bed.until_serving(4)


async def test_making_and_joining_are_asked_until_a_manager_served_and_never_again() -> None:
    bed = Bed(ManagerFailed("nobody there"), SERVES)
    joining = replace(ARGUMENTS, join="10.0.0.2:2377")

    async with bed.running(joining):
        await bed.until(lambda: len(bed.launcher.launched) == 1)
        await asyncio.sleep(0)
        bed.clock.advance(1)
        await bed.until_serving(2)
        bed.launcher.launched[-1][1].end(0)
        await bed.until(lambda: bed.supervisor.status != SERVING)
        bed.clock.advance(1)
        await bed.until_serving(3)

    assert [joining, joining, ARGUMENTS] == [each for each, _ in bed.launcher.launched]


async def test_the_first_managers_failure_is_told_and_final_where_somebody_waits() -> None:
    """`docker swarm init` shows it, and nothing goes on behind its back."""
    bed = Bed(ManagerFailed("invalid spec", 400))
    first: asyncio.Future[Ready] = asyncio.get_running_loop().create_future()

    await bed.supervisor.run(replace(ARGUMENTS, init=b"{}"), first)

    with pytest.raises(ManagerFailed, match="invalid spec"):
        first.result()
    assert 1 == len(bed.launcher.launched)


async def test_a_locked_manager_serves_once_it_has_its_key() -> None:
    bed = Bed(Ready("node", locked=True))

    async with bed.running():
        await bed.until(lambda: bed.supervisor.status.phase is ManagerPhase.LOCKED)
        bed.supervisor.unlocked()

        assert SERVING == bed.supervisor.status
