"""Services on one node: from the request to running tasks, and what befalls them then."""

from __future__ import annotations

import base64
import json
import os
import secrets
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from bench.api import Connection
from bench.measure import Case
from bench.servers import Server

LIMIT_S = 120.0
_PAUSE_S = 0.005
# Ends at once when it is asked to; a bare `sleep` would ignore that as the first process.
_PROGRAM = "trap exit TERM; sleep 1000 & wait"


class Service:
    """One service of a daemon, and its tasks as the API shows them."""

    def __init__(self, server: Server, replicas: int, **spec: Any) -> None:
        self.api = Connection(server.socket)
        self._spec = {
            "Name": f"bench-{secrets.token_hex(4)}",
            "TaskTemplate": {
                "ContainerSpec": {"Image": "busybox", "Command": ["sh", "-c", _PROGRAM]},
                "Networks": [{"Target": "host"}],
                "RestartPolicy": {"Condition": "any", "Delay": 0},
            },
            "Mode": {"Replicated": {"Replicas": replicas}},
            "UpdateConfig": {"Parallelism": 1, "Delay": 0},
            **spec,
        }
        self.id: str = self.api.call("POST", "/services/create", self._spec)["ID"]

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

    def until(self, is_so: Callable[[], bool]) -> None:
        """Return when it is so."""
        deadline_s = time.perf_counter() + LIMIT_S
        while not is_so():
            if time.perf_counter() > deadline_s:
                raise RuntimeError(f"it never came to be: {self.tasks()}")
            time.sleep(_PAUSE_S)

    def remove(self) -> None:
        """Remove it, and wait for the end of its containers."""
        self.api.call("DELETE", f"/services/{self.id}")
        filters = quote(json.dumps({"label": [f"com.docker.swarm.service.id={self.id}"]}))
        self.until(lambda: not self.api.call("GET", f"/containers/json?all=1&filters={filters}"))


@contextmanager
def service(server: Server, replicas: int) -> Iterator[Service]:
    """Lend a service whose tasks all run."""
    made = Service(server, replicas)
    made.until(lambda: len(made.running()) == replicas)
    yield made
    made.remove()


def create(server: Server) -> float:
    """Create a service of one replica, until it runs."""
    start = time.perf_counter()
    with service(server, 1):
        return (time.perf_counter() - start) * 1e3


def scale_up(server: Server) -> float:
    """Scale a service from none to a hundred replicas, until all run."""
    with service(server, 0) as found:
        start = time.perf_counter()
        found.update(lambda spec: spec["Mode"]["Replicated"].update(Replicas=100))
        found.until(lambda: len(found.running()) == 100)
        return time.perf_counter() - start


def scale_down(server: Server) -> float:
    """Scale a service from a hundred replicas to none, until no task is left."""
    with service(server, 100) as found:
        start = time.perf_counter()
        found.update(lambda spec: spec["Mode"]["Replicated"].update(Replicas=0))
        found.until(lambda: not found.tasks())
        return time.perf_counter() - start


def replace_killed(server: Server) -> float:
    """Kill a task's process, until another one runs in its place."""
    with service(server, 1) as found:
        (task,) = found.running()
        start = time.perf_counter()
        os.kill(task["Status"]["ContainerStatus"]["PID"], signal.SIGKILL)
        found.until(lambda: [each["ID"] for each in found.running()] not in ([], [task["ID"]]))
        return (time.perf_counter() - start) * 1e3


def rolling_update(server: Server) -> float:
    """Replace twenty tasks one after another."""
    with service(server, 20) as found:
        old = {task["ID"] for task in found.running()}
        start = time.perf_counter()
        found.update(lambda spec: spec["TaskTemplate"]["ContainerSpec"].update(Env=["A=1"]))
        found.until(lambda: sum(task["ID"] not in old for task in found.running()) == 20)
        return time.perf_counter() - start


def add_secret(server: Server) -> float:
    """Give a service a secret, until a task that has it runs."""
    with service(server, 1) as found:
        name = f"key-{secrets.token_hex(4)}"
        data = base64.b64encode(b"hush").decode()
        secret = found.api.call("POST", "/secrets/create", {"Name": name, "Data": data})["ID"]
        target = {"Name": "key", "UID": "0", "GID": "0", "Mode": 0o444}
        reference = {"SecretID": secret, "SecretName": name, "File": target}
        (old,) = found.running()
        start = time.perf_counter()
        found.update(lambda spec: spec["TaskTemplate"]["ContainerSpec"].update(Secrets=[reference]))
        found.until(lambda: any(task["ID"] != old["ID"] for task in found.running()))
        took_ms = (time.perf_counter() - start) * 1e3
        (new,) = found.running()
        container = new["Status"]["ContainerStatus"]["ContainerID"]
        assert server.docker("exec", container, "cat", "/run/secrets/key") == "hush"
    found.api.call("DELETE", f"/secrets/{secret}")
    return took_ms


CASES = [
    Case("service to running", "ms", "lower", 0.71, create, 7),
    Case("0 to 100 replicas", "s", "lower", 0.5, scale_up, 1),
    Case("100 replicas to 0", "s", "lower", 0.5, scale_down, 1),
    Case("killed task replaced", "ms", "lower", 1.0, replace_killed, 5),
    Case("rolling update of 20", "s", "lower", 0.25, rolling_update, 2),
    Case("secret readable", "ms", "lower", 1.0, add_secret, 3),
]
