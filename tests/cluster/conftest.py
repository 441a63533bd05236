"""Fixtures of the tests on several hosts: networks of namespaces, a daemon in each."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cluster.hosts import Cluster, hosts_on_a_lan, start_all
from tests.cluster.services import load_busybox
from tests.cluster.swarm import swarm_of
from tests.root.images import BUSYBOX


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip these tests, with the reason, where the machine lacks a part of them."""
    needed = ("docker", "runc", "conmon", "nft", "ip", "nsenter", "unshare")
    missing = [name for name in needed if shutil.which(name) is None]
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


@pytest.fixture
def lan_of() -> Iterator[Callable[[int], Cluster]]:
    """Lend a function that makes hosts whose daemons are started."""
    with ExitStack() as stack:

        def make(size: int) -> Cluster:
            hosts = stack.enter_context(hosts_on_a_lan(size))
            start_all(hosts)
            return hosts

        yield make


@pytest.fixture(scope="module")
def swarm(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """Lend a swarm with the image of busybox to all tests of a module.

    The module may say how many HOSTS (three), how many of them are MANAGERS (the first one), and
    its HEARTBEAT (the default, for agents that are to be back before they are missed).
    """
    module = request.module
    with hosts_on_a_lan(getattr(module, "HOSTS", 3)) as hosts:
        managers = getattr(module, "MANAGERS", 1)
        swarm_of(hosts, managers, heartbeat=getattr(module, "HEARTBEAT", "5s"))
        load_busybox(hosts)
        yield hosts
