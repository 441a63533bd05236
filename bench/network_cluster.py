"""Hosts in namespaces that are a swarm, a fast web server to run there, and a client outside."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.host import Host
from tests.cluster.hosts import hosts_on_a_lan
from tests.cluster.services import running, until_running
from tests.cluster.swarm import swarm_of
from tests.root.images import ImageFile, ImageSpec, busybox_layer, docker_archive, make_layer
from tests.root.node import wait_until

WEB = "bench-web:latest"
# A server gives way to nobody, for it is not what is measured.
SERVER = ("--cap-add", "SYS_NICE", WEB)
CLIENT = ("--entrypoint", "sleep", WEB, "100000")
# As often as it takes to see at once that it serves, and seldom after.
HEALTH = (
    "--health-cmd", "wget -q -O /dev/null http://127.0.0.1/",
    "--health-start-interval", "100ms", "--health-start-period", "60s", "--health-interval", "5m",
)  # fmt: skip
_SERVERS = "/usr/sbin:/usr/local/sbin:/usr/bin"
_CONFIG = """
daemon off; user root;
worker_processes 1; worker_priority -15; pid /run/nginx.pid; error_log /dev/null;
events { worker_connections 4096; }
http {
    access_log off; keepalive_requests 1000000000; keepalive_timeout 600s;
    server {
        listen 80 backlog=4096; listen [::]:80 backlog=4096;
        location / { return 200 "$hostname\\n"; }
    }
}
"""


@dataclass(frozen=True)
class Bed:
    """The hosts of the swarm, the first a manager; `outside` is another one on their network."""

    hosts: list[Host]
    outside: Host

    @property
    def manager(self) -> Host:
        """The host to tell what is wanted."""
        return self.hosts[0]

    def space_outside(self) -> Path:
        """Return where the network of the client outside is."""
        return Path("/run/netns", self.outside.network.namespace(self.outside.number))

    def sandbox(self, task: dict[str, Any]) -> Path:
        """Return where a task's network is."""
        host = self.host_of(task)
        container = task["Status"]["ContainerStatus"]["ContainerID"]
        return Path(host.get(f"/containers/{container}/json")["NetworkSettings"]["SandboxKey"])

    def host_of(self, task: dict[str, Any]) -> Host:
        """Return the host that a task runs on."""
        return next(each for each in self.hosts if each.info()["NodeID"] == task["NodeID"])

    def create(self, name: str, *words: str) -> None:
        """Create a service, not waited for."""
        self.manager.docker("service", "create", "-d", "--no-resolve-image", "--name", name, *words)

    def running(self, name: str, count: int, limit_s: float = 180) -> list[dict[str, Any]]:
        """Return a service's running tasks once there are so many."""
        what = f"{count} tasks of {name}"
        wait_until(lambda: len(running(self.manager, name)) == count, what, limit_s)
        return until_running(self.manager, name, count)

    def remove(self, *names: str) -> None:
        """Remove services, and see their containers go."""
        self.manager.docker("service", "rm", *names)
        for host in self.hosts:
            for name in names:
                found = ("ps", "-aq", "-f", f"label=com.docker.swarm.service.name={name}")
                wait_until(
                    lambda at=host, words=found: not at.docker(*words).stdout,  # type: ignore[misc] # bound
                    "the containers to go", 60,
                )  # fmt: skip


@contextmanager
def swarm_bed(size: int) -> Iterator[Bed]:
    """Lend so many nodes, with the image of the web server on each."""
    archive = docker_archive([ImageSpec([WEB], [busybox_layer(), web_layer()], {"Cmd": ["nginx"]})])
    with hosts_on_a_lan(size + 1) as hosts:
        *nodes, outside = hosts
        swarm_of(nodes, 1, "5s")
        with ThreadPoolExecutor(size) as pool:
            list(pool.map(lambda host: host.docker("load", stdin=archive), nodes))
        yield Bed(nodes, outside)


def web_layer() -> bytes:
    """Return nginx as this machine has it, with its libraries. Errors: RuntimeError."""
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:{_SERVERS}")
    if program is None:
        raise RuntimeError("nginx is missing: apt-get install nginx-light")
    linked = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    libraries = re.findall(r"(/\S+) \(0x", linked)
    files = [ImageFile("bin/nginx", Path(program).read_bytes())]
    files += [ImageFile(each.lstrip("/"), Path(each).read_bytes()) for each in libraries]
    files += [ImageFile("etc/nginx/nginx.conf", _CONFIG.encode(), 0o644)]
    places = ("run", "tmp", "var/log/nginx", "var/lib/nginx")
    return make_layer(files, directories=places)
