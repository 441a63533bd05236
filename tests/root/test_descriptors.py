"""A daemon that may open 2,000 files: who takes them all away harms nobody for long."""

from __future__ import annotations

import resource
import secrets
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from tests.root.images import busybox_archive
from tests.root.node import Node, wait_until

LIMIT = 2000


class LimitedNode(Node):
    """A daemon under `ulimit -n 2000`."""

    @property
    def command(self) -> list[str]:
        """The daemon's command line."""
        return ["prlimit", f"--nofile={LIMIT}:{LIMIT}", *super().command]


@pytest.fixture
def limited() -> Iterator[Node]:
    """Lend a daemon under the limit, with busybox in it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2 * LIMIT:
        pytest.skip("needs twice as many descriptors for the clients")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * LIMIT), hard))
    name = secrets.token_hex(3)
    node = LimitedNode(Path(tempfile.mkdtemp(prefix=f"skep-{name}-")), name)
    try:
        node.start()
        node.docker("load", stdin=busybox_archive())
        yield node
    finally:
        node.destroy()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def open_files(node: Node) -> int:
    """Return how many descriptors the daemon has."""
    assert node.process is not None
    return len(list(Path(f"/proc/{node.process.pid}/fd").iterdir()))


def is_taken(client: socket.socket, node: Node) -> bool:
    """Say whether the client is connected, or no descriptor is left; a full backlog is neither."""
    try:
        client.connect(str(node.socket))
    except BlockingIOError:
        return open_files(node) >= LIMIT
    return True


def test_clients_that_take_every_descriptor_are_survived(limited: Node) -> None:
    """Containers run on meanwhile, and once the clients are gone all is as before."""
    limited.docker("run", "-d", "--name", "steady", "busybox", "sleep", "1000")
    before = open_files(limited)
    with ExitStack() as clients:
        peak = 0
        for _ in range(LIMIT + 300):
            client = clients.enter_context(socket.socket(socket.AF_UNIX))
            client.settimeout(0)
            taken = partial(is_taken, client, limited)
            wait_until(taken, "the daemon to take the client, or to have no descriptor left")
            peak = max(peak, open_files(limited))
            if peak >= LIMIT:
                break
        assert limited.process is not None
        assert limited.process.poll() is None
        assert peak > LIMIT - 100

    wait_until(lambda: open_files(limited) <= before + 8, "the descriptors to come back", 60)
    assert "ok\n" == limited.docker("run", "--rm", "busybox", "echo", "ok").stdout
    assert "hi\n" == limited.docker("exec", "steady", "echo", "hi").stdout


def test_many_containers_fit_under_the_limit(limited: Node) -> None:
    """Each takes only a few."""
    before = open_files(limited)
    for number in range(10):
        limited.docker("run", "-d", "--name", f"many-{number}", "busybox", "sleep", "1000")

    assert open_files(limited) - before <= 10 * 8
