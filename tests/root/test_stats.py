"""Statistics of real containers, beside the kernel's own files."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from docker.errors import NotFound

from tests.root.node import Node

SLEEPER = ("busybox", "sleep", "1000")


def stats_of(daemon: Node, ref: str) -> dict[str, Any]:
    """Return one answer."""
    client = daemon.api()
    try:
        found = client.containers.get(ref).stats(stream=False)
    finally:
        client.close()
    assert isinstance(found, dict)
    return found


def test_numbers_agree_with_the_kernel(daemon: Node) -> None:
    """Limits, processes and traffic; two samples, the older one's CPU times with them."""
    daemon.docker("run", "-d", "--name", "some", "-m", "32m", "--pids-limit", "20", *SLEEPER)

    found = stats_of(daemon, "some")

    assert found["name"] == "/some"
    assert found["memory_stats"]["limit"] == 32 << 20
    assert 0 < found["memory_stats"]["usage"] < 32 << 20
    assert (found["pids_stats"]["current"], found["pids_stats"]["limit"]) == (1, 20)
    assert set(found["networks"]) == {"eth0"}
    before, after = found["precpu_stats"], found["cpu_stats"]
    assert 0 < before["cpu_usage"]["total_usage"] <= after["cpu_usage"]["total_usage"]
    assert 0 < before["system_cpu_usage"] < after["system_cpu_usage"]
    lines = Path("/proc/stat").read_text().splitlines()
    assert after["online_cpus"] == sum(line.startswith("cpu") for line in lines) - 1


def test_a_busy_container_is_seen(daemon: Node) -> None:
    """The formula of `docker stats`."""
    daemon.docker("run", "-d", "--name", "busy", "busybox", "sh", "-c", "while :; do :; done")

    shown = daemon.docker("stats", "--no-stream", "--format", "{{.Name}} {{.CPUPerc}}").stdout

    name, percent = shown.split()
    assert name == "busy"
    assert float(percent.removesuffix("%")) > 5


def test_the_stream_goes_on_and_each_answer_knows_the_one_before(daemon: Node) -> None:
    """One line a second."""
    daemon.docker("run", "-d", "--name", "some", *SLEEPER)
    client = daemon.api()

    stream: Iterator[Any] = iter(client.containers.get("some").stats(stream=True, decode=True))
    first, second = itertools.islice(stream, 2)
    client.close()

    assert first["precpu_stats"]["cpu_usage"]["total_usage"] == 0
    assert second["preread"] == first["read"]
    assert second["precpu_stats"] == first["cpu_stats"]


def test_what_does_not_run_has_counted_nothing(daemon: Node) -> None:
    """Docker's empty answer, not an error."""
    daemon.docker("create", "--name", "idle", "busybox")

    found = stats_of(daemon, "idle")

    assert found["memory_stats"] == found["pids_stats"] == {}
    assert found["cpu_stats"]["cpu_usage"]["total_usage"] == 0
    assert found["read"] == "0001-01-01T00:00:00Z"


def test_nobody_by_that_name(daemon: Node) -> None:
    """404."""
    client = daemon.api()
    with pytest.raises(NotFound):
        client.api.stats("nosuch", stream=False)
    client.close()
