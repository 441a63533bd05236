"""kill -9 of the daemon at any moment: nothing acknowledged is lost, nothing is left over."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest

from tests.root.node import PATIENCE, Node, wait_until


def test_running_containers_outlive_a_killed_daemon(killable_daemon: Node) -> None:
    """The process goes on, its log is whole, attach and stop work after the restart."""
    script = "i=0; while true; do i=$((i+1)); echo $i; usleep 20000; done"
    ref = killable_daemon.docker("run", "-d", "busybox", "sh", "-c", script).stdout.strip()
    pid = killable_daemon.docker("inspect", "-f", "{{.State.Pid}}", ref).stdout

    killable_daemon.kill()
    killable_daemon.start()

    assert pid == killable_daemon.docker("inspect", "-f", "{{.State.Pid}}", ref).stdout
    seen = len(killable_daemon.docker("logs", ref).stdout.split())
    wait_until(
        lambda: len(killable_daemon.docker("logs", ref).stdout.split()) > seen + 5,
        "the log to grow",
    )
    lines = killable_daemon.docker("logs", ref).stdout.split()
    assert [str(i + 1) for i in range(len(lines))] == lines
    killable_daemon.docker("stop", "-t", "0", ref)


def test_exit_while_the_daemon_is_down_is_told(killable_daemon: Node, tmp_path: Path) -> None:
    """The monitor keeps the exit code until a daemon asks."""
    script = "while [ ! -e /signs/go ]; do usleep 10000; done; echo bye; exit 23"
    ref = killable_daemon.docker(
        "run", "-d", "-v", f"{tmp_path}:/signs", "busybox", "sh", "-c", script
    ).stdout.strip()
    pid = Path(
        "/proc", killable_daemon.docker("inspect", "-f", "{{.State.Pid}}", ref).stdout.strip()
    )
    killable_daemon.kill()
    (tmp_path / "go").touch()
    wait_until(lambda: not pid.exists(), "the exit")

    killable_daemon.start()

    state = killable_daemon.docker("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", ref)
    assert "exited 23\n" == state.stdout
    assert "bye\n" == killable_daemon.docker("logs", ref).stdout


def test_published_port_and_restart_policy_survive(killable_daemon: Node) -> None:
    """The port map stays; a container with restart=always that died meanwhile is started."""
    port = killable_daemon.docker(
        "run", "-d", "--name", "web", "-p", "127.0.0.1::80", "busybox", "httpd", "-f", "-p", "80"
    )
    assert port
    killable_daemon.docker("run", "-d", "--name", "phoenix", "--restart", "always", "busybox",
                        "sleep", "0.3")  # fmt: skip
    before = killable_daemon.docker("port", "web").stdout

    killable_daemon.kill()
    killable_daemon.start()

    assert before == killable_daemon.docker("port", "web").stdout
    count = "{{.RestartCount}}"
    wait_until(
        lambda: int(killable_daemon.docker("inspect", "-f", count, "phoenix").stdout) > 0,
        "the policy to go on",
    )


def test_kill_in_the_middle_of_many_starts_leaves_no_half_container(killable_daemon: Node) -> None:
    """Whatever moment it hits: after the restart everything listed works or can be removed."""
    for delay_s in (0.02, 0.05, 0.08, 0.12, 0.2):
        clients = [
            subprocess.Popen(
                ["docker", "-H", killable_daemon.url, "run", "--rm", "-p", "80", "busybox", "true"],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )
            for _ in range(4)
        ]  # fmt: skip
        time.sleep(delay_s)  # the moment of the crash is the test's input, not a wait
        killable_daemon.kill()
        for client in clients:
            client.wait(30)
        killable_daemon.start()

    killable_daemon.remove_containers()
    clean: dict[str, list[str]] = {name: [] for name in killable_daemon.leftovers()}
    wait_until(lambda: killable_daemon.leftovers() == clean, f"{killable_daemon.leftovers()} to go")
    assert killable_daemon.docker("run", "--rm", "busybox", "echo", "ok").stdout == "ok\n"


def test_a_second_daemon_on_the_same_data_is_refused(killable_daemon: Node) -> None:
    """Two writers would ruin the records."""
    other = Node(killable_daemon.root, killable_daemon.name, ("--host", f"{killable_daemon.url}2"))

    refused = subprocess.run(
        other.command, capture_output=True, text=True, timeout=30 * PATIENCE, check=False
    )

    assert refused.returncode != 0
    assert str(killable_daemon.root / "data") in refused.stderr
    assert killable_daemon.docker("info").stdout


@pytest.mark.parametrize("driver", ["bridge", "macvlan"])
def test_kill_in_the_middle_of_a_change_of_networks_leaves_all_or_nothing(
    killable_daemon: Node, parent: str, driver: str
) -> None:
    """Record, sandbox, interfaces and hosts file agree after each restart."""
    options = ("-o", f"parent={parent}") if driver == "macvlan" else ()
    killable_daemon.docker("network", "create", "-d", driver, *options, "late")
    killable_daemon.docker("network", "create", "early")
    killable_daemon.docker("run", "-d", "--name", "box", "--network", "early", "busybox",
                        "sleep", "1000")  # fmt: skip
    probe = killable_daemon.docker("network", "connect", "late", "box", check=False)
    if "the kernel lacks" in probe.stderr:
        pytest.skip(probe.stderr)
    is_on = _agreed_networks(killable_daemon) == ["early", "late"]
    assert is_on
    for delay_s in (0.025, 0.03, 0.035, 0.04, 0.05, 0.06):
        verb = "disconnect" if is_on else "connect"
        client = subprocess.Popen(
            ["docker", "-H", killable_daemon.url, "network", verb, "late", "box"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        time.sleep(delay_s)  # the moment of the crash is the test's input, not a wait
        killable_daemon.kill()
        client.wait(30)
        killable_daemon.start()

        is_on = _agreed_networks(killable_daemon) == ["early", "late"]

    if not is_on:
        killable_daemon.docker("network", "connect", "late", "box")
    assert ["early", "late"] == _agreed_networks(killable_daemon)
    killable_daemon.docker("rm", "-f", "box")
    killable_daemon.docker("network", "rm", "late", "early")


def _agreed_networks(node: Node) -> list[str]:
    """Return the networks of the container "box", all places agreeing about them."""
    shown = node.docker("inspect", "-f", "{{json .NetworkSettings.Networks}}", "box").stdout
    networks = json.loads(shown)
    addresses = sorted(each["IPAddress"] for each in networks.values())
    inside = node.docker("exec", "box", "ip", "-o", "-4", "addr").stdout.splitlines()
    held = (line.split()[3].partition("/")[0] for line in inside)
    assert addresses == sorted(each for each in held if each != "127.0.0.1")
    hosts = node.docker("exec", "box", "cat", "/etc/hosts").stdout.splitlines()
    own = node.docker("exec", "box", "hostname").stdout.strip()
    assert addresses == sorted(line.split()[0] for line in hosts if line.split()[1:] == [own])
    for name in ("early", "late"):
        there = json.loads(node.docker("network", "inspect", name).stdout)[0]["Containers"]
        assert (len(there) == 1) == (name in networks)
    assert "default via" in node.docker("exec", "box", "ip", "route").stdout
    return sorted(networks)
