"""Fixtures of the tests on real parts: one daemon for many tests, or one for a test alone."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.root.images import BUSYBOX, busybox_archive
from tests.root.network_bed import run
from tests.root.node import Node


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip these tests, with the reason, where the machine lacks a part of them."""
    missing = [
        name for name in ("docker", "runc", "conmon", "nft", "ip") if shutil.which(name) is None
    ]
    reason = ""
    if os.geteuid() != 0:
        reason = "needs root"
    elif missing or not BUSYBOX.exists():
        reason = f"needs {', '.join(missing) or 'busybox-static'}"
    if reason:
        here = Path(__file__).parent
        for item in items:
            if here in item.path.parents:
                item.add_marker(pytest.mark.skip(reason=reason))


def new_node(*flags: str) -> Node:
    """Return a daemon that is not started yet, with names of its own."""
    name = secrets.token_hex(3)
    return Node(Path(tempfile.mkdtemp(prefix=f"skep-{name}-")), name, flags)


@contextmanager
def with_busybox(node: Node) -> Iterator[Node]:
    """Start a daemon and load the busybox image; in the end take all of it away."""
    try:
        node.start()
        node.docker("load", stdin=busybox_archive())
        yield node
    finally:
        node.destroy()


@pytest.fixture(scope="session")
def shared_daemon() -> Iterator[Node]:
    """Lend one daemon with the busybox image for the whole run."""
    with with_busybox(new_node()) as node:
        yield node


@pytest.fixture
def daemon(shared_daemon: Node) -> Iterator[Node]:
    """Lend the shared daemon; what a test leaves in it is removed, with all its traces."""
    yield shared_daemon
    shared_daemon.remove_containers()
    shared_daemon.remove_volumes()
    shared_daemon.await_nothing_left()


@pytest.fixture(scope="session")
def _spare_daemon() -> Iterator[Node]:
    with with_busybox(new_node()) as node:
        yield node


@pytest.fixture
def killable_daemon(_spare_daemon: Node) -> Iterator[Node]:
    """Lend a daemon to be killed and started again at will; its next test finds it empty."""
    _spare_daemon.revive()
    yield _spare_daemon
    _spare_daemon.revive()
    _spare_daemon.remove_containers()
    _spare_daemon.docker("network", "prune", "-f")
    _spare_daemon.remove_volumes()
    _spare_daemon.await_nothing_left()


@pytest.fixture
def fresh_daemon() -> Iterator[Node]:
    """Lend a daemon to one test alone, whose images and networks it may change as it likes."""
    with with_busybox(new_node()) as node:
        yield node


@pytest.fixture
def parent() -> Iterator[str]:
    """Lend an interface of the host, an end of a pair."""
    name = f"s{secrets.token_hex(3)}"
    run("ip", "link", "add", name, "type", "veth", "peer", "name", f"{name}p")
    for each in (name, f"{name}p"):
        run("ip", "link", "set", each, "up")
    yield name
    run("ip", "link", "del", name)
