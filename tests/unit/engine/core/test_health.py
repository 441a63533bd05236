"""Which command probes a container, and what the results make of its health."""

from __future__ import annotations

import pytest

from api.types.containers import ContainerConfig, HealthConfig
from engine.core.health import (
    HealthState,
    HealthStatus,
    Probe,
    ProbeResult,
    clipped,
    delay_ns,
    judged,
    probe_of,
    span_text,
    stopped,
    timed_out_text,
)

SECOND = 1_000_000_000
PROBE = Probe(command=["x"], retries=2)
PATIENT = Probe(command=["x"], retries=1, start_period_ns=10 * SECOND)


def result(exit_code: int, start_ns: int = 0) -> ProbeResult:
    """Return a result."""
    return ProbeResult(start_ns=start_ns, end_ns=start_ns + 1, exit_code=exit_code, output="")


@pytest.mark.parametrize(
    ("test", "shell", "command"),
    [
        (["CMD", "curl", "-f"], None, ["curl", "-f"]),
        (["CMD-SHELL", "exit 0"], None, ["/bin/sh", "-c", "exit 0"]),
        (["CMD-SHELL", "exit 0"], ["/bin/ash", "-ec"], ["/bin/ash", "-ec", "exit 0"]),
    ],
)
def test_command_of_each_kind(test: list[str], shell: list[str] | None, command: list[str]) -> None:
    """Engine API, HealthConfig.Test; the image's shell runs CMD-SHELL."""
    probe = probe_of(ContainerConfig(Healthcheck=HealthConfig(Test=test), Shell=shell))

    assert probe is not None
    assert command == probe.command


@pytest.mark.parametrize("test", [[], ["NONE"], ["CMD"], ["CMD-SHELL"], ["NOSUCH", "x"]])
def test_no_probe_without_a_command(test: list[str]) -> None:
    """Off is off, and so is what makes no sense."""
    assert probe_of(ContainerConfig(Healthcheck=HealthConfig(Test=test))) is None
    assert probe_of(ContainerConfig()) is None


def test_zero_means_the_default() -> None:
    """30 s, 30 s, 0, 5 s, three times."""
    probe = probe_of(ContainerConfig(Healthcheck=HealthConfig(Test=["CMD", "x"], Interval=0)))

    assert probe == Probe(
        command=["x"],
        interval_ns=30 * SECOND,
        timeout_ns=30 * SECOND,
        start_period_ns=0,
        start_interval_ns=5 * SECOND,
        retries=3,
    )


def test_failures_in_a_row_make_unhealthy_and_one_success_healthy() -> None:
    """Any exit code but 0 is a failure."""
    once = judged(HealthState(), PROBE, result(1), 0)
    twice = judged(once, PROBE, result(-1), 0)
    again = judged(twice, PROBE, result(0), 0)

    seen = [(each.status, each.failing_streak) for each in (once, twice, again)]
    expected = [(HealthStatus.STARTING, 1), (HealthStatus.UNHEALTHY, 2), (HealthStatus.HEALTHY, 0)]
    assert expected == seen


def test_start_period_excuses_until_the_first_success() -> None:
    """Engine API, StartPeriod."""
    excused = judged(HealthState(), PATIENT, result(1, 5 * SECOND), 0)
    late = judged(excused, PATIENT, result(1, 10 * SECOND), 0)
    was_healthy = judged(HealthState(status=HealthStatus.HEALTHY), PATIENT, result(1, SECOND), 0)

    assert excused.failing_streak == 0
    assert late.status is was_healthy.status is HealthStatus.UNHEALTHY


def test_start_interval_holds_while_starting_in_the_start_period() -> None:
    """Afterwards the interval, as it does once healthy."""
    healthy = HealthState(status=HealthStatus.HEALTHY)

    assert delay_ns(HealthState(), PATIENT, 0) == 5 * SECOND
    assert delay_ns(HealthState(), PATIENT, 10 * SECOND) == 30 * SECOND
    assert delay_ns(healthy, PATIENT, 0) == 30 * SECOND


def test_the_last_five_results_are_kept() -> None:
    """Oldest first."""
    state = HealthState()
    for number in range(7):
        state = judged(state, PROBE, result(number), 0)

    assert [each.exit_code for each in state.results] == [2, 3, 4, 5, 6]


def test_what_ended_is_not_healthy() -> None:
    """Containers without a check have no health at all."""
    ended = stopped(HealthState(status=HealthStatus.HEALTHY))

    assert ended is not None
    assert ended.status is HealthStatus.UNHEALTHY
    assert stopped(None) is None


def test_output_is_clipped_to_4096_bytes() -> None:
    """Bytes that are no text do not matter."""
    assert clipped(b"a" * 4096) == "a" * 4096
    assert clipped(b"a" * 4097) == "a" * 4096 + "..."
    assert clipped(b"\xff") == "\ufffd"


@pytest.mark.parametrize(
    ("span_ns", "text"),
    [
        (300_000_000, "300ms"),
        (1_500_000, "1.5ms"),
        (SECOND, "1s"),
        (1_500_000_000, "1.5s"),
        (90 * SECOND, "1m30s"),
        (3600 * SECOND, "1h0m0s"),
    ],
)
def test_spans_are_printed_as_clients_know_them(span_ns: int, text: str) -> None:
    """The words of the time-out."""
    assert text == span_text(span_ns)
    words = timed_out_text(Probe(command=["x"], timeout_ns=span_ns), b"")
    assert words == f"Health check exceeded timeout ({text})"
