"""Swarms on hosts in namespaces, ours and Debian's beside it, made in the same way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from bench.docker_host import DockerHost
from bench.processor import Meter, meter
from bench.servers import Reference
from tests.cluster.host import Host
from tests.cluster.hosts import Cluster, hosts_on_a_lan, start_all
from tests.cluster.swarm import found, join
from tests.root.images import busybox_archive
from tests.root.node import wait_until

_LIMIT_S = 60.0


@dataclass(frozen=True)
class Swarm:
    """Nodes with the image of the tasks; the first one is the only manager."""

    name: str
    hosts: Cluster
    meter: Meter

    @property
    def manager(self) -> Host:
        """The host to tell what is wanted."""
        return self.hosts[0]

    @property
    def socket(self) -> str:
        """The manager's unix socket."""
        return str(self.manager.socket)

    def processor_s(self) -> float:
        """Return how many seconds of one processor all of it has had."""
        return self.meter.read_s(self.hosts)

    def host(self, node_id: str) -> Host:
        """Return the host that is this node."""
        return next(each for each in self.hosts if each.info()["NodeID"] == node_id)

    def until_ready(self) -> None:
        """Return when the manager has heard of all."""
        what = f"the nodes of {self.name} to be ready"
        wait_until(lambda: self._ready() == len(self.hosts), what, _LIMIT_S)

    def _ready(self) -> int:
        listed = self.manager.docker("node", "ls", "--format", "{{json .}}").stdout.splitlines()
        return [json.loads(line)["Status"] for line in listed].count("Ready")


@contextmanager
def swarms(size: int = 1, *, alone: bool) -> Iterator[list[Swarm]]:
    """Lend ours, and the reference's if it is installed, unless ours is to be alone."""
    kinds: dict[str, type[Host]] = {"skep": Host}
    if not alone and Reference.is_installed():
        kinds["dockerd"] = DockerHost
    with ExitStack() as stack:
        lent = []
        for name, kind in kinds.items():
            counter = stack.enter_context(meter())
            swarm = Swarm(name, stack.enter_context(hosts_on_a_lan(size, kind)), counter)
            _form(swarm)
            counter.add(swarm.hosts)
            lent.append(swarm)
        yield lent


def _form(swarm: Swarm) -> None:
    """Start all hosts, join them by default settings, and load the image on each."""
    first, *others = swarm.hosts
    start_all(swarm.hosts)
    found(first, "--advertise-addr", first.address)
    for other in others:
        join(other, first, "worker", "--advertise-addr", other.address)
    swarm.until_ready()
    archive = busybox_archive()
    with ThreadPoolExecutor(len(swarm.hosts)) as pool:
        list(pool.map(lambda host: host.docker("load", stdin=archive), swarm.hosts))
