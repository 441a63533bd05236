"""Probing a container: when, what it makes of the result, and what it leaves alone."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace

from api.types.containers import ContainerConfig, HealthConfig
from engine.containers.health import watch_health
from engine.core.container_state import Status
from engine.core.errors import RuntimeFailed
from engine.core.health import HealthState, HealthStatus
from tests.fakes.container_io import CONTAINER_ID, World

CHECK = HealthConfig(
    Test=["CMD", "probe"], Interval=10_000_000_000, Timeout=2_000_000_000, Retries=1
)


@pytest.fixture
async def world(tmp_path: Path) -> World:
    """Give a world with a running container that is watched."""
    world = World(tmp_path)
    record = world.add(config=ContainerConfig(Healthcheck=CHECK))
    world.store.set(replace(record, health=HealthState()))
    watch_health(world.env, world.store.get(CONTAINER_ID))
    await _settle()
    return world


async def _settle() -> None:
    for _ in range(30):
        await asyncio.sleep(0)


async def pass_time(world: World, seconds: float) -> None:
    """Let time pass, and all that follows from it happen."""
    world.clock.advance(seconds)
    await _settle()


def health(world: World) -> HealthState:
    """Return the container's health."""
    found = world.store.get(CONTAINER_ID).health
    assert found is not None
    return found


async def end_probe(world: World, exit_code: int, output: bytes = b"") -> None:
    """End the newest probe."""
    directory = world.monitor.execs[-1].directory
    world.monitor.streams[directory][0].output(1, output)
    world.monitor.exit(directory, exit_code)
    await _settle()


async def test_the_first_probe_comes_after_an_interval(world: World) -> None:
    """As the reference: not at the start."""
    await pass_time(world, 9)
    before = len(world.monitor.execs)
    await pass_time(world, 1)

    assert (before, len(world.monitor.execs)) == (0, 1)


async def test_success_is_healthy_and_told_once(world: World) -> None:
    """Clients wait for the event; the output is in the log of inspect."""
    for _ in range(2):
        await pass_time(world, 10)
        await end_probe(world, 0, b"fine")

    assert health(world).status is HealthStatus.HEALTHY
    assert [each.output for each in health(world).results] == ["fine", "fine"]
    assert world.events.actions.count("health_status: healthy") == 1
    assert world.events.actions[:3] == ["exec_create: probe", "exec_start: probe", "exec_die"]


async def test_a_probe_that_takes_too_long_is_killed(world: World) -> None:
    """It counts as a failure, in the reference's words."""
    await pass_time(world, 10)
    await pass_time(world, 2)
    killed = len(world.runtime.killed)
    await end_probe(world, 137)

    assert killed == 1
    assert health(world).status is HealthStatus.UNHEALTHY
    assert health(world).results[0].output == "Health check exceeded timeout (2s)"


async def test_a_probe_that_cannot_be_started_is_a_failure(world: World) -> None:
    """The runtime's words are its output."""
    world.monitor.failure = RuntimeFailed("no such program", 127)

    await pass_time(world, 10)

    assert health(world).status is HealthStatus.UNHEALTHY
    assert health(world).results[0].output == "no such program"


async def test_frozen_containers_are_passed_over(world: World) -> None:
    """Nothing would answer; afterwards probing goes on."""
    world.become(Status.PAUSED)
    await pass_time(world, 10)
    while_frozen = len(world.monitor.execs)
    world.become(Status.RUNNING)
    await pass_time(world, 10)

    assert (while_frozen, len(world.monitor.execs)) == (0, 1)


async def test_what_a_frozen_container_did_to_its_probe_does_not_count(world: World) -> None:
    """The probe was frozen with it."""
    await pass_time(world, 10)
    world.become(Status.PAUSED)
    await end_probe(world, 1)

    assert health(world) == HealthState()


async def test_probing_ends_with_the_run(world: World) -> None:
    """The next run has a watch of its own."""
    world.exit()
    await pass_time(world, 10)
    await pass_time(world, 10)

    assert world.monitor.execs == []
    watch = world.live.of(CONTAINER_ID).health
    assert watch is not None
    assert watch.done()
