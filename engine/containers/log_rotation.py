"""Keep a running container's log within its bounds.

The monitor writes the log, also while no daemon runs. This looks at its size only when it grew,
and the sooner the nearer it is to its bound.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from api.errors import SkepError
from engine.containers.env import ContainersEnv
from engine.containers.record import ContainerRecord
from engine.core.log_options import Rotation, rotation_of
from engine.ports.runtime import Monitored

log = structlog.get_logger(__name__)

# Faster than a monitor writes: what is left of the bound, divided by this, may be slept.
_BYTES_PER_S = 100_000_000
_SHORTEST_S = 0.01
_LONGEST_S = 1.0
_REOPEN_POLL_S = 0.01
_REOPEN_LOOKS = 1000
# A monitor that has read its orders has long done them after that.
_CARRY_OUT_S = 0.5
_AFTER_FAILURE_S = 10.0


@contextmanager
def rotating(env: ContainersEnv, container_id: str, monitored: Monitored) -> Iterator[None]:
    """Keep the log within its bounds, behind what is done meanwhile; nothing where it has none."""
    record = env.store.find(container_id)
    rotation = rotation_of(record.host_config.LogConfig) if record is not None else None
    if record is None or rotation is None or not record.log_path:
        yield
        return
    work = keep_rotating(env, record, rotation, monitored)
    task = env.live.spawn(work, f"rotate:{container_id}")
    try:
        yield
    finally:
        task.cancel()


async def finish_rotating(env: ContainersEnv, record: ContainerRecord) -> None:
    """Clear away what a rotation left behind that the container's end cut. Errors: Internal."""
    rotation = rotation_of(record.host_config.LogConfig)
    if rotation is not None and record.log_path:
        await env.host.insight.rotator.finish(Path(record.log_path), rotation.max_files)


async def keep_rotating(
    env: ContainersEnv, record: ContainerRecord, rotation: Rotation, monitored: Monitored
) -> None:
    """Rotate the log whenever it reached its bound, until cancelled."""
    path = Path(record.log_path)
    while True:
        try:
            await _finish_what_was_cut(env, path, rotation, monitored)
            while True:
                await _wait_for_bound(env, path, rotation)
                await _rotate(env, path, rotation, monitored)
        except SkepError as error:
            log.warning("log.not_rotated", container_id=record.id, reason=error.message)
            await env.host.clock.sleep(_AFTER_FAILURE_S)


async def _wait_for_bound(env: ContainersEnv, path: Path, rotation: Rotation) -> None:
    files = env.host.insight.rotator
    while True:
        # Asked for before the look, so that what is written in between is not missed.
        grown = files.expect_growth(path)
        try:
            left = rotation.max_bytes - await files.size(path)
            if left <= 0:
                return
            await grown
        finally:
            grown.cancel()
        await env.host.clock.sleep(min(max(left / _BYTES_PER_S, _SHORTEST_S), _LONGEST_S))


async def _rotate(env: ContainersEnv, path: Path, rotation: Rotation, monitored: Monitored) -> None:
    await env.host.insight.rotator.set_aside(path)
    await _reopen(env, path, monitored)
    await _settle(env, path, rotation)


async def _reopen(env: ContainersEnv, path: Path, monitored: Monitored) -> None:
    """Have the monitor make a new log; it may be late, for the machine may be busy."""
    env.host.monitor.reopen_log(monitored.directory)
    await _until_reopened(env, path)


async def _until_reopened(env: ContainersEnv, path: Path) -> None:
    for _ in range(_REOPEN_LOOKS):
        if not await env.host.insight.rotator.is_due(path):
            return
        await env.host.clock.sleep(_REOPEN_POLL_S)


async def _settle(env: ContainersEnv, path: Path, rotation: Rotation) -> None:
    files = env.host.insight.rotator
    # The file that was set aside last is still written to until the monitor has a new one.
    if not await files.is_due(path):
        await files.settle(path, rotation.max_files - 1, compress=rotation.compress)


async def _finish_what_was_cut(
    env: ContainersEnv, path: Path, rotation: Rotation, monitored: Monitored
) -> None:
    """End the rotation that an earlier daemon began.

    The monitor must not get the order to reopen twice: with the second it would put an empty log
    in the place of the new one. So it is sent only when none is on its way.
    """
    files, monitor = env.host.insight.rotator, env.host.monitor
    if await files.is_due(path):
        for _ in range(_REOPEN_LOOKS):
            if not monitor.has_unread_orders(monitored.directory):
                break
            await env.host.clock.sleep(_REOPEN_POLL_S)
        await env.host.clock.sleep(_CARRY_OUT_S)
        if await files.is_due(path):
            await _reopen(env, path, monitored)
    await _settle(env, path, rotation)
