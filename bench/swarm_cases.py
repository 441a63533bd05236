"""Services, from the request to running tasks, and what befalls these then."""

from __future__ import annotations

import base64
import os
import secrets
import signal
import time

from bench.swarm_measure import Case, Figure
from bench.swarm_service import service
from bench.swarms import Swarm

REPLICAS = 100
_UPDATED = 20


def create(swarm: Swarm) -> tuple[float]:
    """Create a service of one replica, until it runs."""
    start = time.perf_counter()
    with service(swarm, 1):
        return (time.perf_counter() - start,)


def scale(swarm: Swarm) -> tuple[float, float, float]:
    """Scale a service from none to a hundred replicas and back, until all run and none is left.

    The third figure is what the processors had to do until all ran.
    """
    with service(swarm, 0) as found:
        start, used_s = time.perf_counter(), swarm.processor_s()
        found.scale(REPLICAS)
        found.until(lambda: len(found.running()) == REPLICAS, REPLICAS)
        up_s, used_s = time.perf_counter() - start, swarm.processor_s() - used_s
        start = time.perf_counter()
        found.scale(0)
        found.until(lambda: not found.tasks(), REPLICAS)
        return up_s, time.perf_counter() - start, used_s


def replace_killed(swarm: Swarm) -> tuple[float]:
    """Kill a task's process, until another one runs in its place."""
    with service(swarm, 1) as found:
        (task,) = found.running()
        start = time.perf_counter()
        os.kill(task["Status"]["ContainerStatus"]["PID"], signal.SIGKILL)
        found.until_running(1, lambda each: each["ID"] == task["ID"])
        return (time.perf_counter() - start,)


def rolling_update(swarm: Swarm) -> tuple[float]:
    """Replace twenty tasks one after another."""
    with service(swarm, _UPDATED) as found:
        old = {task["ID"] for task in found.running()}
        start = time.perf_counter()
        found.update(lambda spec: spec["TaskTemplate"]["ContainerSpec"].update(Env=["A=1"]))
        found.until_running(_UPDATED, lambda each: each["ID"] in old)
        return (time.perf_counter() - start,)


def add_secret(swarm: Swarm) -> tuple[float]:
    """Give a service a secret, until a task that has it runs."""
    with service(swarm, 1) as found:
        name = f"key-{secrets.token_hex(4)}"
        data = base64.b64encode(b"hush").decode()
        secret = found.api.call("POST", "/secrets/create", {"Name": name, "Data": data})["ID"]
        target = {"Name": "key", "UID": "0", "GID": "0", "Mode": 0o444}
        reference = {"SecretID": secret, "SecretName": name, "File": target}
        (old,) = found.running()
        start = time.perf_counter()
        found.update(lambda spec: spec["TaskTemplate"]["ContainerSpec"].update(Secrets=[reference]))
        found.until_running(1, lambda each: each["ID"] == old["ID"])
        took_s = time.perf_counter() - start
        (new,) = found.running()
        container = new["Status"]["ContainerStatus"]["ContainerID"]
        seen = swarm.host(new["NodeID"]).docker("exec", container, "cat", "/run/secrets/key").stdout
        assert seen == "hush", seen
    swarm.manager.docker("secret", "rm", secret)
    return (took_s,)


def _scale_figures(where: str) -> tuple[Figure, ...]:
    return (
        Figure(f"0 to {REPLICAS} replicas, {where}", "s", faster=2),
        Figure(f"{REPLICAS} replicas to 0, {where}", "s", faster=2),
        Figure("processor time until all run", "s"),
    )


ONE_NODE = [
    Case("create", (Figure("service to running", "s", most=0.3),), create, 5, is_warmed=True),
    Case("killed", (Figure("killed task replaced", "s", most=0.5),), replace_killed, 3),
    Case("secret", (Figure("secret readable in a new task", "s", most=0.8),), add_secret, 3),
    Case("scale-1", _scale_figures("1 node"), scale, 1),
    Case("rolling", (Figure(f"rolling update of {_UPDATED}", "s", faster=4),), rolling_update, 1),
]
SCALE_ON_THREE = Case("scale-3", _scale_figures("3 nodes"), scale, 2, nodes=3)
