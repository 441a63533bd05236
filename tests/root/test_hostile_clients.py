"""Clients that vanish in the middle: what they held is let go, and what they began goes on or ends.

Rows 11, 27 and 32 of docs/security.md.
"""

from __future__ import annotations

import json
import socket
from contextlib import suppress

import pytest

from tests.root.health import UnixConnection, connect, unharmed
from tests.root.hijacked import Hijacked
from tests.root.images import busybox_archive
from tests.root.node import Node, wait_until

CLIENTS = 20


def _begin(node: Node, method: str, target: str, head: str = "", content: bytes = b"") -> None:
    """Send a request, see the first bytes of the answer if any come, and vanish."""
    with connect(node, 1) as connection:
        connection.sendall(f"{method} {target} HTTP/1.1\r\nHost: x\r\n{head}\r\n".encode())
        connection.sendall(content)
        connection.recv(4096)


@pytest.mark.parametrize(
    "target",
    [
        "/containers/{id}/logs?stdout=1&follow=1",
        "/containers/{id}/logs?stdout=1&follow=1&tail=0",
        "/events",
        "/containers/{id}/stats",
    ],
)
def test_reader_of_an_endless_stream(daemon: Node, target: str) -> None:
    with unharmed(daemon):
        box = daemon.docker("run", "-d", "busybox", "yes").stdout.strip()
        for _ in range(CLIENTS):
            _begin(daemon, "GET", target.format(id=box))


def test_waiter(daemon: Node) -> None:
    """Nothing of the answer has come when the client leaves."""
    with unharmed(daemon):
        box = daemon.docker("run", "-d", "busybox", "sleep", "600").stdout.strip()
        for condition in ("not-running", "next-exit", "removed"):
            for _ in range(CLIENTS):
                with connect(daemon) as connection:
                    connection.sendall(
                        f"POST /containers/{box}/wait?condition={condition} HTTP/1.1\r\n"
                        "Host: x\r\nContent-Length: 0\r\n\r\n".encode()
                    )


@pytest.mark.parametrize("reads", [True, False])
def test_attached_client(daemon: Node, reads: bool) -> None:
    """One that read a little, and one that never read so that the daemon was held back."""
    with unharmed(daemon):
        box = daemon.docker("run", "-d", "-i", "busybox", "yes").stdout.strip()
        for _ in range(CLIENTS):
            client = Hijacked(daemon.socket, f"/containers/{box}/attach?stream=1&stdout=1&stdin=1")
            assert "HTTP/1.1 101 UPGRADED" == client.status
            if reads:
                client.socket.recv(65536)
            client.socket.close()


def test_exec_client(daemon: Node) -> None:
    """The command goes on without a reader, as it would with a closed terminal."""
    with unharmed(daemon):
        box = daemon.docker("run", "-d", "busybox", "sleep", "600").stdout.strip()
        for _ in range(5):
            exec_id = _post(
                daemon,
                f"/containers/{box}/exec",
                {"Cmd": ["yes"], "AttachStdout": True, "AttachStdin": True},
            )["Id"]
            client = Hijacked(daemon.socket, f"/exec/{exec_id}/start", {"Detach": False})
            assert "HTTP/1.1 101 UPGRADED" == client.status
            client.socket.recv(65536)
            client.socket.close()


def _post(node: Node, target: str, content: object) -> dict[str, str]:
    connection = UnixConnection(node)
    body = json.dumps(content).encode()
    connection.request("POST", target, body, {"Content-Type": "application/json"})
    answer: dict[str, str] = json.loads(connection.getresponse().read())
    connection.close()
    return answer


@pytest.mark.parametrize("target", ["/images/load", "/images/create?fromSrc=-&repo=half"])
def test_upload_that_stops_in_the_middle(daemon: Node, target: str) -> None:
    """Half an archive is no image; what was staged of it is gone."""
    archive = busybox_archive("half:latest")
    before = _files(daemon)
    with unharmed(daemon):
        for half in (b"", archive[:700], archive[: len(archive) // 2]):
            with connect(daemon) as connection:
                connection.sendall(
                    f"POST {target} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-tar\r\n"
                    f"Content-Length: {len(archive)}\r\n\r\n".encode()
                )
                connection.sendall(half)

    assert "" == daemon.docker("images", "-q", "half").stdout
    wait_until(lambda: _files(daemon) == before, f"{_files(daemon) ^ before} to be gone")


def _files(node: Node) -> set[str]:
    """Return the files of the data root, other than the records' own."""
    found = (node.root / "data").rglob("*")
    return {str(path) for path in found if path.is_file() and "engine.db" not in path.name}


def test_download_that_stops_in_the_middle(daemon: Node) -> None:
    with unharmed(daemon):
        for _ in range(CLIENTS):
            _begin(daemon, "GET", "/images/busybox/get")


def test_pull_from_a_registry_that_never_answers(daemon: Node) -> None:
    """Row 27: when its last client goes the pull ends, and lets the registry go."""
    with unharmed(daemon), socket.create_server(("127.0.0.1", 0)) as registry:
        registry.settimeout(20)
        port = registry.getsockname()[1]
        with connect(daemon) as connection:
            connection.sendall(
                f"POST /images/create?fromImage=127.0.0.1:{port}/box&tag=1 HTTP/1.1\r\n"
                "Host: x\r\nContent-Length: 0\r\n\r\n".encode()
            )
            upstream = _accept_plain(registry)

        with suppress(ConnectionResetError):
            while upstream.recv(65536):
                pass
        upstream.close()


def _accept_plain(registry: socket.socket) -> socket.socket:
    """Return the first connection that speaks HTTP, its request read; TLS is tried before."""
    while True:
        upstream, _ = registry.accept()
        upstream.settimeout(20)
        if upstream.recv(65536).startswith(b"GET "):
            return upstream
        upstream.close()
