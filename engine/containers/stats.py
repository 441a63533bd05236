"""Statistics of a container: once, or every second for as long as somebody listens."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from msgspec import UNSET

from api.errors import SkepError
from api.types.stats import ContainerStatsResponse, CpuStats
from engine.containers.env import ContainersEnv
from engine.containers.record import ContainerRecord
from engine.containers.render import NEVER, time_text
from engine.core.create_checks import joined_container
from engine.core.stats import Sample, make_sample

_PERIOD_S = 1.0
# Long enough for the machine's CPU time, which goes in steps of 10 ms.
_BASE_S = 0.5


async def stats_once(
    env: ContainersEnv, ref: str, *, one_shot: bool, os_type: bool
) -> ContainerStatsResponse:
    """Return one answer; unless `one_shot`, with the CPU times of half a second before.

    A container that does not run has counted nothing. Errors: NoSuchContainer.
    """
    record = env.store.resolve(ref)
    before = None
    if not one_shot:
        before = await _sample(env, record)
        if before is not None:
            await env.host.clock.sleep(_BASE_S)
    record = env.store.get(record.id)
    return _answer(record, await _sample(env, record), before, os_type=os_type)


def stats_stream(
    env: ContainersEnv, ref: str, *, os_type: bool
) -> AsyncGenerator[ContainerStatsResponse, None]:
    """Return an answer a second until the container is removed. Errors: NoSuchContainer, here."""
    return _stream(env, env.store.resolve(ref), os_type=os_type)


async def _stream(
    env: ContainersEnv, record: ContainerRecord, *, os_type: bool
) -> AsyncGenerator[ContainerStatsResponse, None]:
    before: Sample | None = None
    found: ContainerRecord | None = record
    while found is not None:
        sample = await _sample(env, found)
        yield _answer(found, sample, before, os_type=os_type)
        before = sample
        await env.host.clock.sleep(_PERIOD_S)
        found = env.store.find(record.id)


async def _sample(env: ContainersEnv, record: ContainerRecord) -> Sample | None:
    if not record.state.has_process:
        return None
    counters = await env.live.readings.of(env.host.insight.stats, record.id, record.state.pid)
    if counters is None:
        return None
    return make_sample(
        version=counters.version,
        files=counters.files,
        net_dev=counters.net_dev if _has_own_counters(env, record) else "",
        cpu_stat=counters.cpu_stat,
        read_ns=counters.read_ns,
        machine_bytes=env.host.facts.facts().memory_bytes,
    )


def _has_own_counters(env: ContainersEnv, record: ContainerRecord) -> bool:
    """Tell whether the traffic is a container's: not where it has the host's network."""
    mode = record.host_config.NetworkMode
    ref = joined_container(mode)
    if ref is None:
        return mode != "host"
    try:
        return env.store.resolve(ref).host_config.NetworkMode != "host"
    except SkepError:
        return True


def _answer(
    record: ContainerRecord, sample: Sample | None, before: Sample | None, *, os_type: bool
) -> ContainerStatsResponse:
    kind = "linux" if os_type else UNSET
    if sample is None:
        return ContainerStatsResponse(id=record.id, name=f"/{record.name}", os_type=kind)
    return ContainerStatsResponse(
        id=record.id,
        name=f"/{record.name}",
        os_type=kind,
        read=time_text(sample.read_ns),
        cpu_stats=sample.cpu,
        memory_stats=sample.memory,
        networks=sample.networks or UNSET,
        pids_stats=sample.pids,
        blkio_stats=sample.blkio,
        preread=time_text(before.read_ns) if before is not None else NEVER,
        precpu_stats=before.cpu if before is not None else CpuStats(),
    )
