"""The daemon as a service manager runs it: sockets handed over, readiness told, reloads."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.root.conftest import new_node
from tests.root.node import Node, wait_until

# systemd passes sockets from descriptor 3 on, and says to whom (sd_listen_fds(3)).
_ACTIVATE = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="api")
os.execv(sys.executable, [sys.executable, "-m", "agent", "daemon", *sys.argv[2:]])
"""


@pytest.fixture
def notified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Lend the socket on which a service manager hears of the daemon's state."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.settimeout(20)
        listener.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield listener


@pytest.fixture
def node() -> Iterator[Node]:
    """Lend a daemon that is not started, and take away what it leaves."""
    node = new_node()
    yield node
    node.destroy()


def test_state_is_told_to_the_service_manager(node: Node, notified: socket.socket) -> None:
    node.start()
    assert b"READY=1" == notified.recv(4096)

    assert node.process is not None
    node.process.send_signal(signal.SIGHUP)
    assert notified.recv(4096).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
    assert b"READY=1" == notified.recv(4096)

    node.stop()
    assert b"STOPPING=1" == notified.recv(4096)


def test_socket_handed_over_is_served(node: Node, tmp_path: Path) -> None:
    """fd:// : what connects before the daemon runs is answered once it does."""
    path = tmp_path / "api.sock"
    with socket.socket(socket.AF_UNIX) as handed, socket.socket(socket.AF_UNIX) as client:
        handed.bind(str(path))
        handed.listen()
        client.settimeout(30)
        client.connect(str(path))
        client.sendall(b"GET /_ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        arguments = [*node.command[4:]]
        arguments[arguments.index(node.url)] = "fd://api"
        with node.log.open("ab") as log:
            node.process = subprocess.Popen(
                [sys.executable, "-c", _ACTIVATE, str(handed.fileno()), *arguments],
                pass_fds=[handed.fileno()], stdout=log, stderr=log,
            )  # fmt: skip

        assert client.recv(4096).startswith(b"HTTP/1.1 200 ")

    node.process.send_signal(signal.SIGTERM)
    assert 0 == node.process.wait(30)
    assert path.exists()


def test_nothing_handed_over_is_an_error(node: Node) -> None:
    arguments = [*node.command]
    arguments[arguments.index(node.url)] = "fd://"

    done = subprocess.run(arguments, capture_output=True, timeout=30, check=False, text=True)

    assert 0 != done.returncode
    assert "no such socket was passed by systemd" in done.stderr + done.stdout


def test_reload_takes_what_may_change_and_tells_it(node: Node) -> None:
    node.start()
    events = subprocess.Popen(
        ["docker", "-H", node.url, "events", "--filter", "type=daemon", "--format", "{{json .}}"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert node.process is not None
    assert events.stdout is not None
    try:
        info = json.loads(node.docker("info", "--format", "{{json .}}").stdout)
        wait_until(lambda: _listeners(node) > 0, "the listener of events")
        (node.root / "daemon.json").write_text('{"labels": ["a=b"], "debug": true}')
        node.process.send_signal(signal.SIGHUP)

        event = json.loads(events.stdout.readline())
    finally:
        events.kill()
        events.communicate()

    assert ("daemon", "reload", info["ID"]) == (
        event["Type"], event["Action"], event["Actor"]["ID"],
    )  # fmt: skip
    attributes = event["Actor"]["Attributes"]
    assert (os.uname().nodename, "true", '["a=b"]') == (
        attributes["name"], attributes["debug"], attributes["labels"],
    )  # fmt: skip
    assert "[a=b]" == node.docker("info", "--format", "{{.Labels}}").stdout.strip()


def _listeners(node: Node) -> int:
    return int(node.docker("info", "--format", "{{.NEventsListener}}").stdout)


def test_reload_of_a_bad_file_changes_nothing(node: Node) -> None:
    (node.root / "daemon.json").write_text('{"labels": ["a=b"]}')
    node.start()
    assert node.process is not None

    (node.root / "daemon.json").write_text('{"labels": ["c=d"], "nonsense": 1}')
    node.process.send_signal(signal.SIGHUP)

    wait_until(lambda: "daemon.reload_failed" in node.log.read_text(), "the refusal")
    assert "nonsense" in node.log.read_text()
    assert "[a=b]" == node.docker("info", "--format", "{{.Labels}}").stdout.strip()
