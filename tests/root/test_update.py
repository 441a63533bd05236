"""Changing the limits of real containers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.adapters.stats_files import group_files
from tests.root.node import Node

SLEEPER = ("busybox", "sleep", "1000")


def limits_of(daemon: Node, ref: str) -> dict[str, str]:
    """Return memory and process limits as the kernel has them."""
    shown = daemon.inspect(ref)
    state: Any = shown["State"]
    membership = Path(f"/proc/{state['Pid']}/cgroup").read_text()
    files = group_files(membership, str(shown["Id"]))
    memory = files.get("memory.limit_in_bytes") or files["memory.max"]
    return {
        "memory": memory.read_text().strip(),
        "pids": files["pids.max"].read_text().strip(),
    }


def test_limits_of_a_running_container_change_at_once(daemon: Node) -> None:
    """In the kernel and on record; what is not named stays."""
    daemon.docker("run", "-d", "--name", "it", "-m", "32m", "--pids-limit", "20", *SLEEPER)

    daemon.docker("update", "-m", "48m", "--memory-swap", "-1", "it")
    after = limits_of(daemon, "it")
    daemon.docker("update", "--pids-limit", "-1", "it")

    assert {"memory": str(48 << 20), "pids": "20"} == after
    assert limits_of(daemon, "it")["pids"] == "max"
    host: Any = daemon.inspect("it")["HostConfig"]
    assert host["Memory"] == 48 << 20


def test_a_stopped_container_starts_with_its_new_limits(daemon: Node) -> None:
    """The restart policy is changed with them."""
    daemon.docker("create", "--name", "it", *SLEEPER)

    daemon.docker("update", "--pids-limit", "33", "--restart", "unless-stopped", "it")
    daemon.docker("start", "it")

    assert limits_of(daemon, "it")["pids"] == "33"
    host: Any = daemon.inspect("it")["HostConfig"]
    assert host["RestartPolicy"]["Name"] == "unless-stopped"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("-m", "1m"), "Minimum memory limit allowed is 6MB"),
        (("-m", "128m"), "already set memoryswap limit"),
        (("--cpus", "999"), "Range of CPUs is from 0.01 to"),
        (("--cpuset-cpus", "900"), "Requested CPUs are not available"),
        (("--restart", "sometimes"), "restart policy"),
    ],
)
def test_what_is_refused_changes_nothing(
    daemon: Node, arguments: tuple[str, ...], words: str
) -> None:
    """Neither on record nor in the kernel."""
    daemon.docker("run", "-d", "--name", "it", "-m", "32m", *SLEEPER)
    before = daemon.inspect("it")["HostConfig"]

    refused = daemon.docker("update", *arguments, "it", check=False)

    assert words in refused.stderr
    assert daemon.inspect("it")["HostConfig"] == before
    assert limits_of(daemon, "it")["memory"] == str(32 << 20)
