"""Services of a swarm of hosts, through the docker CLI and the API."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

from tests.cluster.host import Host
from tests.cluster.hosts import Cluster
from tests.cluster.swarm import until_state
from tests.root.images import busybox_archive
from tests.root.node import wait_until


def load_busybox(hosts: Cluster) -> None:
    """Have the image on all hosts."""
    archive = busybox_archive()
    with ThreadPoolExecutor(len(hosts)) as pool:
        list(pool.map(lambda host: host.docker("load", stdin=archive), hosts))


def remove_services(swarm: Cluster) -> None:
    """Remove all services, and see their containers go."""
    manager = swarm[0]
    if services := manager.docker("service", "ls", "-q").stdout.split():
        manager.docker("service", "rm", *services)
    until_empty(swarm)
    for host in swarm:
        until_state(manager, host, "Ready")


def until_empty(hosts: Cluster) -> None:
    """Wait until no host has a container."""
    for host in hosts:
        wait_until(
            lambda each=host: not each.docker("ps", "-aq").stdout,  # type: ignore[misc] # bound
            f"the containers of {host.hostname} to go",
        )


def serve(manager: Host, name: str, *words: str) -> None:
    """Create a service, not waited for."""
    manager.docker("service", "create", "-d", "--name", name, "--stop-grace-period", "0s", *words)


def tasks(manager: Host, name: str) -> list[dict[str, Any]]:
    """Return a service's tasks as the API has them, newest first."""
    filters = quote(json.dumps({"service": [name]}))
    found: list[dict[str, Any]] = manager.get(f"/tasks?filters={filters}")
    return sorted(found, key=lambda each: str(each["CreatedAt"]), reverse=True)


def running(manager: Host, name: str) -> list[dict[str, Any]]:
    """Return those that run and should."""
    return [
        each
        for each in tasks(manager, name)
        if each["Status"]["State"] == "running" and each["DesiredState"] == "running"
    ]


def until_running(manager: Host, name: str, count: int) -> list[dict[str, Any]]:
    """Return the running tasks once there are so many."""
    found: list[dict[str, Any]] = []

    def are_so_many() -> bool:
        found[:] = running(manager, name)
        return len(found) == count

    wait_until(are_so_many, f"{count} tasks of {name}", 40)
    return found
