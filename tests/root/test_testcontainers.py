"""testcontainers, unmodified, as test suites use it."""

from __future__ import annotations

import os
import urllib.request
from pathlib import Path

import pytest

from tests.root.node import Node, wait_until

# Its reaper is an image that would have to be pulled; these tests clean up by themselves.
os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")
testcontainers = pytest.importorskip("testcontainers.core.container")
network = pytest.importorskip("testcontainers.core.network")
waiting = pytest.importorskip("testcontainers.core.wait_strategies")

SERVE = "sh -c 'echo hello >/tmp/index.html; echo serving; exec httpd -f -p 80 -h /tmp'"


@pytest.fixture
def docker_host(daemon: Node, monkeypatch: pytest.MonkeyPatch) -> Node:
    """Point the library at the daemon, as a user's shell would."""
    monkeypatch.setenv("DOCKER_HOST", daemon.url)
    return daemon


def test_a_server_is_started_waited_for_and_asked(docker_host: Node) -> None:
    """The first example of every guide: ports, logs, commands inside; then it is gone."""
    container = (
        testcontainers.DockerContainer("busybox:latest")
        .with_command(SERVE)
        .with_exposed_ports(80)
        .with_env("COLOUR", "blue")
        .with_name("tc-server")
        .waiting_for(waiting.LogMessageWaitStrategy("serving"))
    )
    with container:
        url = f"http://{container.get_container_host_ip()}:{container.get_exposed_port(80)}/"
        wait_until(lambda: _get(url) == b"hello\n", "the server")
        status, output = container.exec(["sh", "-c", "echo $COLOUR"])
        stdout, stderr = container.get_logs()

    assert (0, b"blue\n") == (status, output)
    assert (b"serving\n", b"") == (stdout, stderr)
    assert "tc-server" not in docker_host.docker("ps", "-a").stdout


def test_containers_of_a_network_find_one_another(docker_host: Node) -> None:
    """By the alias that the test gives; the network goes with the test."""
    with network.Network() as net:
        server = (
            testcontainers.DockerContainer("busybox:latest")
            .with_command(SERVE)
            .with_network(net)
            .with_network_aliases("server")
            .waiting_for(waiting.LogMessageWaitStrategy("serving"))
        )
        with server:
            asked = docker_host.docker(
                "run", "--rm", "--network", net.name, "busybox", "wget", "-qO-", "http://server/"
            )

    assert "hello\n" == asked.stdout
    assert net.name not in docker_host.docker("network", "ls").stdout


def test_files_of_the_host_are_mounted(docker_host: Node, tmp_path: Path) -> None:
    """Read-only, as the library does unless told otherwise."""
    (tmp_path / "seed.sql").write_text("create table t;")
    container = (
        testcontainers.DockerContainer("busybox:latest")
        .with_command("sleep 1000")
        .with_volume_mapping(str(tmp_path), "/seed")
    )
    with container:
        read = container.exec("cat /seed/seed.sql")
        written = container.exec("touch /seed/other")

    assert (0, b"create table t;") == tuple(read)
    assert written.exit_code != 0
    assert "busybox" in docker_host.docker("images").stdout


def _get(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            content: bytes = answer.read()
            return content
    except OSError:
        return b""
