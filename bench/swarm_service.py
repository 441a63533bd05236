"""A service that a benchmark makes, watches and removes."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from urllib.parse import quote

from bench.api import Connection
from bench.swarms import Swarm

LIMIT_S = 120.0
# Ends at once when it is asked to; a bare `sleep` would ignore that as the first process.
_PROGRAM = "trap exit TERM; sleep 1000 & wait"
# To look at many tasks is work for a manager: not so often that it has no time for anything else.
_MANY = 50
_PAUSE_S, _PAUSE_WITH_MANY_S = 0.005, 0.05


class Service:
    """One service of a swarm, and its tasks as the API shows them."""

    def __init__(self, swarm: Swarm, replicas: int) -> None:
        self._swarm = swarm
        self.api = Connection(swarm.socket)
        spec = {
            "Name": f"bench-{secrets.token_hex(4)}",
            "TaskTemplate": {
                "ContainerSpec": {"Image": "busybox", "Command": ["sh", "-c", _PROGRAM]},
                "Networks": [{"Target": "host"}],
                "RestartPolicy": {"Condition": "any", "Delay": 0},
            },
            "Mode": {"Replicated": {"Replicas": replicas}},
            "UpdateConfig": {"Parallelism": 1, "Delay": 0},
        }
        self.id: str = self.api.call("POST", "/services/create", spec)["ID"]

    def update(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Change the spec; anew where a daemon touched the service meanwhile."""
        while True:
            found = self.api.call("GET", f"/services/{self.id}")
            change(found["Spec"])
            path = f"/services/{self.id}/update?version={found['Version']['Index']}"
            try:
                self.api.call("POST", path, found["Spec"])
            except RuntimeError as error:
                if "out of sequence" not in str(error):
                    raise
            else:
                return

    def scale(self, replicas: int) -> None:
        """Want so many tasks."""
        self.update(lambda spec: spec["Mode"]["Replicated"].update(Replicas=replicas))

    def tasks(self) -> list[dict[str, Any]]:
        """Return the tasks, ended ones too."""
        filters = quote(json.dumps({"service": {self.id: True}}))
        found: list[dict[str, Any]] = self.api.call("GET", f"/tasks?filters={filters}")
        return found

    def running(self) -> list[dict[str, Any]]:
        """Return the tasks that run and are to run."""
        return [
            task
            for task in self.tasks()
            if task["Status"]["State"] == task["DesiredState"] == "running"
        ]

    def until_running(self, count: int, unlike: Callable[[dict[str, Any]], bool]) -> None:
        """Return when so many tasks run, those left out that are `unlike` what is waited for."""
        self.until(lambda: sum(not unlike(each) for each in self.running()) == count, count)

    def until(self, is_so: Callable[[], bool], count: int = 1) -> None:
        """Return when it is so, looking more seldom where there are many tasks to look at."""
        deadline_s = time.perf_counter() + LIMIT_S
        pause_s = _PAUSE_WITH_MANY_S if count >= _MANY else _PAUSE_S
        while not is_so():
            if time.perf_counter() > deadline_s:
                states = [(each["NodeID"], each["Status"]) for each in self.tasks()]
                raise RuntimeError(f"it never came to be at {self._swarm.name}: {states}")
            time.sleep(pause_s)

    def remove(self) -> None:
        """Remove it, and wait for the end of its containers on all nodes."""
        self.api.call("DELETE", f"/services/{self.id}")
        for host in self._swarm.hosts:
            self.until(partial(self._is_gone, Connection(str(host.socket))), _MANY)
        self.api.close()

    def _is_gone(self, api: Connection) -> bool:
        filters = quote(json.dumps({"label": [f"com.docker.swarm.service.id={self.id}"]}))
        return not api.call("GET", f"/containers/json?all=1&filters={filters}")


@contextmanager
def service(swarm: Swarm, replicas: int) -> Iterator[Service]:
    """Lend a service whose tasks all run."""
    made = Service(swarm, replicas)
    made.until(lambda: len(made.running()) == replicas, replicas)
    yield made
    made.remove()
