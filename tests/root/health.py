"""What every hostile test ends with: the daemon is as well as before, and nothing is left."""

from __future__ import annotations

import http.client
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.root.node import Node, wait_until

ECHO = ("run", "--rm", "--network", "none", "busybox", "echo", "well")


def resident_bytes(node: Node) -> int:
    """Return the memory that the daemon has at present."""
    assert node.process is not None
    pages = int(Path(f"/proc/{node.process.pid}/statm").read_text().split()[1])
    return pages * 4096


def descriptors(node: Node) -> list[str]:
    """Return what the daemon has open."""
    assert node.process is not None
    found = []
    for entry in Path(f"/proc/{node.process.pid}/fd").iterdir():
        with suppress(OSError):
            found.append(str(entry.readlink()))
    return sorted(found)


@contextmanager
def unharmed(node: Node) -> Iterator[None]:
    """Check that what happens inside leaves the daemon answering, running, tidy and small."""
    _warm_up(node)
    wait_until(lambda: not any(node.leftovers().values()), "the first container to be gone")
    files = descriptors(node)

    yield

    assert b"OK" in exchange(node, b"GET /_ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert "well\n" == node.docker(*ECHO).stdout
    node.remove_containers()
    wait_until(lambda: not any(node.leftovers().values()), "all containers to be gone")
    try:
        wait_until(lambda: len(descriptors(node)) <= len(files), "open files to be as before")
    except AssertionError as late:
        message = f"left open: {Counter(descriptors(node)) - Counter(files)}"
        raise AssertionError(message) from late


def _warm_up(node: Node) -> None:
    """Make the daemon open what it opens once and keeps, such as the watch on logs."""
    box = node.docker("run", "-d", "busybox", "yes").stdout.strip()
    with connect(node) as connection:
        target = f"/containers/{box}/logs?follow=1&stdout=1"
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert connection.recv(4096)
    node.docker("rm", "-f", box)


def connect(node: Node, timeout_s: float = 20) -> socket.socket:
    """Return a connection to the API's socket."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(timeout_s)
    connection.connect(str(node.socket))
    return connection


def exchange(node: Node, request: bytes) -> bytes:
    """Send raw bytes and return all that comes back until the daemon closes."""
    with connect(node) as connection:
        connection.sendall(request)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
        return received


class UnixConnection(http.client.HTTPConnection):
    """http.client over the API's socket."""

    def __init__(self, node: Node, timeout_s: float = 30) -> None:
        super().__init__("skep", timeout=timeout_s)
        self._node = node

    def connect(self) -> None:
        """Connect to the socket file."""
        self.sock = connect(self._node, self.timeout or 30)
