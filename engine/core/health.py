"""The health of a container: which command probes it, and what the results make of it.

Source:  Engine API 1.56, HealthConfig and Health; defaults and rules are the reference's.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from api.types.containers import ContainerConfig

NO_EXIT_CODE = -1
_SECOND_NS = 1_000_000_000
_INTERVAL_NS = 30 * _SECOND_NS
_TIMEOUT_NS = 30 * _SECOND_NS
_START_INTERVAL_NS = 5 * _SECOND_NS
_RETRIES = 3
_KEPT_RESULTS = 5
_OUTPUT_LIMIT = 4096
_SHELL = ("/bin/sh", "-c")


class HealthStatus(StrEnum):
    """What the probes say; `starting` until the first of them decides."""

    STARTING = "starting"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


class Probe(Struct, frozen=True, kw_only=True):
    """How a container is probed; spans in nanoseconds, defaults filled in."""

    command: list[str]
    interval_ns: int = _INTERVAL_NS
    timeout_ns: int = _TIMEOUT_NS
    start_period_ns: int = 0
    start_interval_ns: int = _START_INTERVAL_NS
    retries: int = _RETRIES


class ProbeResult(Struct, frozen=True, kw_only=True):
    """One probe; times since the epoch. `exit_code` -1 when it did not end by itself."""

    start_ns: int
    end_ns: int
    exit_code: int
    output: str


class HealthState(Struct, frozen=True, kw_only=True):
    """Health now, failures in a row, and the last results, oldest first."""

    status: HealthStatus = HealthStatus.STARTING
    failing_streak: int = 0
    results: list[ProbeResult] = []


def probe_of(config: ContainerConfig) -> Probe | None:
    """Return how a container is probed, None when it is not: no check, NONE, an unknown kind."""
    check = config.Healthcheck
    command = _command(check.Test or [], config.Shell or _SHELL) if check else []
    if not check or not command:
        return None
    return Probe(
        command=command,
        interval_ns=check.Interval or _INTERVAL_NS,
        timeout_ns=check.Timeout or _TIMEOUT_NS,
        start_period_ns=check.StartPeriod or 0,
        start_interval_ns=check.StartInterval or _START_INTERVAL_NS,
        retries=check.Retries or _RETRIES,
    )


def _command(test: Sequence[str], shell: Sequence[str]) -> list[str]:
    match test:
        case ["CMD", *words]:
            return list(words)
        case ["CMD-SHELL", *words] if words:
            return [*shell, *words]
        case _:
            return []


def delay_ns(state: HealthState, probe: Probe, ran_ns: int) -> int:
    """Return the span until the next probe of a container that has run for `ran_ns`."""
    if state.status is HealthStatus.STARTING and ran_ns < probe.start_period_ns:
        return probe.start_interval_ns
    return probe.interval_ns


def judged(state: HealthState, probe: Probe, result: ProbeResult, started_ns: int) -> HealthState:
    """Return health after a probe of a container that was started at `started_ns`.

    Failures do not count while the container has its start period and was never healthy in it.
    """
    results = [*state.results, result][-_KEPT_RESULTS:]
    if result.exit_code == 0:
        return HealthState(status=HealthStatus.HEALTHY, results=results)
    is_excused = (
        state.status is HealthStatus.STARTING
        and result.start_ns - started_ns < probe.start_period_ns
    )
    streak = state.failing_streak + (not is_excused)
    is_down = streak >= probe.retries
    return HealthState(
        status=HealthStatus.UNHEALTHY if is_down else state.status,
        failing_streak=streak,
        results=results,
    )


def stopped(state: HealthState | None) -> HealthState | None:
    """Return health after the exit: what does not run is not healthy, as clients expect."""
    return replace(state, status=HealthStatus.UNHEALTHY) if state is not None else None


def clipped(output: bytes) -> str:
    """Return a probe's output as it is kept: 4096 bytes, with dots where more was said."""
    text = output[:_OUTPUT_LIMIT].decode(errors="replace")
    return f"{text}..." if len(output) > _OUTPUT_LIMIT else text


def timed_out_text(probe: Probe, output: bytes) -> str:
    """Return what is kept of a probe that did not end in time."""
    text = f"Health check exceeded timeout ({span_text(probe.timeout_ns)})"
    return f"{text}: {clipped(output)}" if output else text


def span_text(span_ns: int) -> str:
    """Return a span of time as the reference prints it: 1m30s, 1.5s, 300ms."""
    if span_ns < _SECOND_NS:
        return f"{span_ns / 1_000_000:g}ms"
    minutes, rest_ns = divmod(span_ns, 60 * _SECOND_NS)
    hours, minutes = divmod(minutes, 60)
    seconds = f"{rest_ns / _SECOND_NS:.9f}".rstrip("0").rstrip(".")
    if hours:
        return f"{hours}h{minutes}m{seconds}s"
    return f"{minutes}m{seconds}s" if minutes else f"{seconds}s"
