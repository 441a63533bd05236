"""The docker command over mutual TLS: streams both ways, ends of input, strangers."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.certificates import make_certificates
from tests.root.conftest import new_node
from tests.root.images import busybox_archive
from tests.root.node import Node, wait_until
from tests.root.terminal import Terminal


class Remote:
    """A daemon on a TLS port, and the docker command that reaches it there."""

    def __init__(self, node: Node, port: int, certificates: Path) -> None:
        self.node = node
        self.port = port
        self.certificates = certificates

    def command(self, *arguments: str, client: str = "client") -> list[str]:
        """Return the command line for a client with that certificate ("" for none)."""
        line = ["docker", "-H", f"tcp://127.0.0.1:{self.port}", "--tlsverify",
                "--tlscacert", str(self.certificates / "ca.pem")]  # fmt: skip
        if client:
            line += ["--tlscert", str(self.certificates / f"{client}.pem"),
                     "--tlskey", str(self.certificates / f"{client}-key.pem")]  # fmt: skip
        return [*line, *arguments]

    def run(
        self, *arguments: str, stdin: bytes = b"", client: str = "client"
    ) -> subprocess.CompletedProcess[bytes]:
        """Run docker to its end."""
        environment = {**os.environ, "DOCKER_CONFIG": str(self.node.root / "cli")}
        return subprocess.run(
            self.command(*arguments, client=client), input=stdin, capture_output=True,
            timeout=60, check=False, env=environment,
        )  # fmt: skip


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remote]:
    """Lend a daemon that listens with mutual TLS."""
    certificates = make_certificates(tmp_path_factory.mktemp("tls"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    node = new_node(
        "--host", f"tcp://127.0.0.1:{port}", "--tlsverify",
        "--tlscacert", str(certificates / "ca.pem"),
        "--tlscert", str(certificates / "server.pem"),
        "--tlskey", str(certificates / "server-key.pem"),
    )  # fmt: skip
    try:
        node.start()
        remote = Remote(node, port, certificates)
        loaded = remote.run("load", stdin=busybox_archive())
        assert loaded.returncode == 0, loaded.stderr
        yield remote
    finally:
        node.destroy()


def test_output_goes_on_when_the_input_has_ended(remote: Remote) -> None:
    """A close_notify ends one direction alone; the answer comes later and is whole."""
    text = os.urandom(1 << 20).hex().encode()

    done = remote.run(
        "run", "--rm", "-i", "busybox", "sh", "-c", "cat > /tmp/x; sleep 0.3; cat /tmp/x",
        stdin=text,
    )  # fmt: skip

    assert (0, True) == (done.returncode, text == done.stdout), done.stderr


def test_megabytes_pass_both_ways_at_once(remote: Remote) -> None:
    content = os.urandom(16 << 20)

    done = remote.run("run", "--rm", "-i", "busybox", "cat", stdin=content)

    assert (0, True) == (done.returncode, content == done.stdout), done.stderr


def test_terminal(remote: Remote) -> None:
    terminal = Terminal(remote.command("run", "--rm", "-it", "busybox", "sh"), 30, 100)
    terminal.wait_for("# ")
    terminal.type("stty size\r")
    terminal.wait_for("30 100")
    terminal.type("exit 7\r")

    assert 7 == terminal.finish()


def test_exec_and_followed_logs(remote: Remote) -> None:
    remote.run("run", "-d", "--name", "tls", "busybox", "sh", "-c",
               "echo one; while [ ! -e /go ]; do sleep 0.05; done; echo two")  # fmt: skip
    follower = subprocess.Popen(
        remote.command("logs", "-f", "tls"), stdout=subprocess.PIPE, text=True
    )

    assert follower.stdout is not None
    assert "one\n" == follower.stdout.readline()
    done = remote.run("exec", "-i", "tls", "sh", "-c", "cat; touch /go", stdin=b"given")

    assert (0, b"given") == (done.returncode, done.stdout)
    assert "two\n" == follower.communicate(timeout=20)[0]
    remote.run("rm", "-f", "tls")


@pytest.mark.parametrize("client", ["", "ca"])
def test_strangers_are_turned_away(remote: Remote, client: str, tmp_path: Path) -> None:
    """Row 12: neither without a certificate nor with one of another authority."""
    strangers = remote
    if client:
        other = make_certificates(tmp_path)
        (other / "ca.pem").write_bytes((remote.certificates / "ca.pem").read_bytes())
        strangers = Remote(remote.node, remote.port, other)

    done = strangers.run("version", client="client" if client else "")

    assert 0 != done.returncode
    assert b"tls" in done.stderr.lower() or b"certificate" in done.stderr.lower()
    assert b"Server" not in done.stdout


def test_clients_that_vanish_leave_no_descriptor(remote: Remote) -> None:
    """Half a handshake, none at all, and a killed `docker attach`."""
    assert remote.node.process is not None
    fds = Path(f"/proc/{remote.node.process.pid}/fd")
    remote.run("run", "-d", "-i", "--name", "held", "busybox", "cat")
    before = len(list(fds.iterdir()))

    silent = [socket.create_connection(("127.0.0.1", remote.port)) for _ in range(20)]
    for connection in silent[:10]:
        connection.sendall(b"\x16\x03\x01\x02\x00\x01\x00")
    attached = subprocess.Popen(remote.command("attach", "held"), stdin=subprocess.PIPE)
    wait_until(lambda: len(list(fds.iterdir())) >= before + 21, "the clients to be connected")
    attached.kill()
    attached.communicate()
    for connection in silent:
        connection.close()

    wait_until(lambda: len(list(fds.iterdir())) <= before, "the descriptors to be closed")
    assert 0 == remote.run("rm", "-f", "held").returncode
