"""Logs of real containers."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.root.node import Node, wait_until


def test_streams_come_apart_and_complete(daemon: Node) -> None:
    """What the CLI prints to its stdout and stderr."""
    daemon.docker("run", "--name", "io-both", "busybox", "sh", "-c", "echo out; echo err >&2")

    logs = daemon.docker("logs", "io-both")

    assert (logs.stdout, logs.stderr) == ("out\n", "err\n")


def test_any_bytes_and_long_lines_come_back(daemon: Node) -> None:
    """Longer than any buffer in between, without a newline at the end."""
    script = "head -c 300000 /dev/zero | tr '\\0' x; printf '\\r\\n\\377\\001end'"
    container = daemon.api().containers.run("busybox", ["sh", "-c", script], detach=True)

    container.wait()

    assert container.logs() == b"x" * 300000 + b"\r\n\xff\x01end"


def test_following_ends_with_the_container_and_misses_nothing(daemon: Node) -> None:
    """10,000 lines as fast as they come."""
    script = "for i in $(seq 10000); do echo line $i; done"
    daemon.docker("run", "-d", "--name", "io-follow", "busybox", "sh", "-c", script)

    logs = daemon.docker("logs", "-f", "io-follow")

    assert logs.stdout.splitlines() == [f"line {n}" for n in range(1, 10001)]


def test_tail_since_and_timestamps(daemon: Node) -> None:
    """As a person looks for the last words."""
    daemon.docker("run", "--name", "io-tail", "busybox", "sh", "-c", "seq 5; sleep 0.2; echo late")

    stamped = daemon.docker("logs", "-t", "--tail", "1", "io-tail").stdout
    stamp, text = stamped.split()

    assert text == "late"
    assert daemon.docker("logs", "--since", stamp, "io-tail").stdout == "late\n"
    assert daemon.docker("logs", "--until", stamp, "--tail", "2", "io-tail").stdout == "5\nlate\n"
    assert daemon.docker("logs", "--tail", "0", "io-tail").stdout == ""


def test_driver_none_says_so(daemon: Node) -> None:
    """Docker's words."""
    daemon.docker("run", "--name", "io-none", "--log-driver", "none", "busybox", "true")

    logs = daemon.docker("logs", "io-none", check=False)

    assert logs.returncode == 1
    assert "configured logging driver does not support reading" in logs.stderr


def test_follower_that_vanishes_leaves_no_open_log(daemon: Node) -> None:
    """A hundred dashboards that come and go."""
    daemon.docker("run", "-d", "--name", "io-open", "busybox", "sh", "-c", "echo x; sleep 60")
    assert daemon.process is not None
    fds = Path(f"/proc/{daemon.process.pid}/fd")

    for _ in range(5):
        follower = subprocess.Popen(
            ["docker", "-H", daemon.url, "logs", "-f", "io-open"], stdout=subprocess.PIPE
        )
        assert follower.stdout is not None
        assert follower.stdout.readline() == b"x\n"
        follower.kill()
        follower.communicate()

    def no_log_is_open() -> bool:
        names = []
        for link in fds.iterdir():
            try:
                names.append(str(link.readlink()))
            except FileNotFoundError:
                continue
        return not any(name.endswith(".log") and "containers" in name for name in names)

    wait_until(no_log_is_open, "the logs to be closed")
