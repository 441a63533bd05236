"""Health checks of real containers, as `docker ps` and `docker events` show them."""

from __future__ import annotations

import json
import time

from tests.root.node import Node, wait_until

CHECK = ("--health-cmd", "cat /ok", "--health-interval", "50ms", "--health-retries", "2")
SLEEPER = ("busybox", "sleep", "1000")


def health_of(daemon: Node, ref: str) -> dict[str, object]:
    """Return what inspect shows as State.Health."""
    state = daemon.inspect(ref)["State"]
    assert isinstance(state, dict)
    health = state["Health"]
    assert isinstance(health, dict)
    return health


def becomes(daemon: Node, ref: str, status: str) -> None:
    """Return once the container has this health."""
    wait_until(lambda: health_of(daemon, ref)["Status"] == status, f"{ref} to be {status}")


def events(daemon: Node, ref: str, kind: str) -> list[str]:
    """Return the actions of a kind that the daemon told of a container so far."""
    client = daemon.api()
    try:
        filters = {"container": [ref], "event": [kind]}
        found = client.events(since=0, until=int(time.time()) + 1, filters=filters, decode=True)
        return [each["Action"] for each in found]
    finally:
        client.close()


def test_health_follows_what_the_probe_finds(daemon: Node) -> None:
    """Unhealthy after the retries, healthy with one success; ps, its filter and events say so."""
    daemon.docker("run", "-d", "--name", "ill", *CHECK, *SLEEPER)
    becomes(daemon, "ill", "unhealthy")
    failed = health_of(daemon, "ill")["Log"]
    daemon.docker("exec", "ill", "touch", "/ok")
    becomes(daemon, "ill", "healthy")
    own_execs = daemon.inspect("ill")["ExecIDs"]

    status = daemon.docker("ps", "--filter", "health=healthy", "--format", "{{.Status}}").stdout
    none = daemon.docker("ps", "-q", "--filter", "health=unhealthy").stdout
    told = events(daemon, "ill", "health_status")

    assert isinstance(failed, list)
    assert "can't open '/ok'" in failed[0]["Output"]
    assert failed[0]["ExitCode"] == 1
    assert "(healthy)" in status
    assert none == ""
    assert ["health_status: unhealthy", "health_status: healthy"] == told
    assert isinstance(own_execs, list)
    assert len(own_execs) == 1, "the probes are nobody's execs"


def test_a_probe_that_hangs_is_killed_and_counts(daemon: Node) -> None:
    """Its words are Docker's; what it started is gone with it."""
    daemon.docker(
        "run", "-d", "--name", "slow", "--health-cmd", "echo begun; sleep 777 & wait",
        "--health-interval", "1s", "--health-timeout", "300ms", "--health-retries", "1",
        *SLEEPER,
    )  # fmt: skip
    becomes(daemon, "slow", "unhealthy")

    result = json.loads(json.dumps(health_of(daemon, "slow")["Log"]))[0]

    assert result["ExitCode"] == -1
    assert result["Output"].startswith("Health check exceeded timeout (300ms): begun")
    wait_until(
        lambda: "sleep 777" not in daemon.docker("top", "slow").stdout, "the probe to be gone"
    )


def test_starting_is_told_and_a_stopped_container_is_not_healthy(daemon: Node) -> None:
    """The state before the first probe, and after the last."""
    daemon.docker("run", "-d", "--name", "new", "--health-cmd", "true", *SLEEPER)
    starting = daemon.docker("ps", "--format", "{{.Status}}").stdout

    daemon.docker("kill", "new")

    assert "(health: starting)" in starting
    assert health_of(daemon, "new")["Status"] == "unhealthy"


def test_no_healthcheck_switches_the_probe_off(daemon: Node) -> None:
    """`--no-healthcheck`."""
    daemon.docker("run", "-d", "--name", "off", "--no-healthcheck", *SLEEPER)

    state = daemon.inspect("off")["State"]

    assert isinstance(state, dict)
    assert "Health" not in state


def test_probing_goes_on_after_the_daemon_was_killed(killable_daemon: Node) -> None:
    """The status is on record, the next probes are the new daemon's."""
    killable_daemon.docker("run", "-d", "--name", "ill", *CHECK, *SLEEPER)
    becomes(killable_daemon, "ill", "unhealthy")

    killable_daemon.kill()
    killable_daemon.start()

    assert health_of(killable_daemon, "ill")["Status"] == "unhealthy"
    killable_daemon.docker("exec", "ill", "touch", "/ok")
    becomes(killable_daemon, "ill", "healthy")
