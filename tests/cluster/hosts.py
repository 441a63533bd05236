"""Hosts of one network, each with a daemon of its own; nothing of them is left in the end."""

from __future__ import annotations

import errno
import secrets
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

from tests.cluster.host import Host
from tests.cluster.lan import Lan
from tests.cluster.leftovers import traces
from tests.root.node import wait_until

Cluster = list[Host]


@contextmanager
def hosts_on_a_lan(size: int, kind: type[Host] = Host) -> Iterator[Cluster]:
    """Lend `size` hosts, not started yet; in the end nothing of them is left."""
    name = secrets.token_hex(3)
    lan = Lan(name, size)
    hosts = [
        kind(
            Path(tempfile.mkdtemp(prefix=f"skep-{name}-{number}-")),
            name,
            ("--cgroup-parent", f"/skep-{name}"),
            lan=lan,
            number=number,
        )
        for number in range(size)
    ]
    with ExitStack() as stack:
        stack.callback(_remove_groups, name)
        stack.callback(lan.destroy)
        for host in hosts:
            stack.callback(host.destroy)
        lan.build()
        yield hosts
    assert {} == traces(name)


def start_all(hosts: Cluster) -> None:
    """Start their daemons side by side."""
    with ThreadPoolExecutor(len(hosts)) as pool:
        list(pool.map(lambda host: host.start(), hosts))


def _remove_groups(name: str) -> None:
    """Remove the groups of the containers that a crash left without a daemon."""
    for top in Path("/sys/fs/cgroup").glob(f"*/skep-{name}"):
        for group in (*sorted(top.glob("**/"), reverse=True), top):
            wait_until(partial(_is_removed, group), f"{group} to be free")


def _is_removed(group: Path) -> bool:
    with suppress(FileNotFoundError):
        try:
            group.rmdir()
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            return False
    return True
