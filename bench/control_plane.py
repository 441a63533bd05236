"""The managers' side of services alone: `python -m bench.control_plane`.

One manager, agents that only pretend (bench/simulated_agents.py), real gRPC over mutual TLS: tasks
are created, scheduled, dispatched and reported running, while clients read. Prints each figure
beside its target, and ends with 1 when one is missed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from urllib.parse import quote

from bench.store import Report
from tests.managers.process import ManagerProcess

LIMIT_S = 60.0


class Reader(threading.Thread):
    """A client that reads all the while: one service, one node's tasks, all services."""

    def __init__(self, manager: ManagerProcess) -> None:
        super().__init__(daemon=True)
        self.times_s: list[float] = []
        self.is_over = False
        self._manager = manager
        self._node = manager.get("/nodes")[-1]["ID"]

    def run(self) -> None:
        """Read, a breath in between."""
        filters = quote(json.dumps({"node": [self._node]}))
        paths = ("/services/web0", f"/tasks?filters={filters}", f"/nodes/{self._node}", "/services")
        while not self.is_over:
            for path in paths:
                start = time.perf_counter()
                self._manager.get(path)
                self.times_s.append(time.perf_counter() - start)
                time.sleep(0.01)

    def p99_ms(self) -> float:
        """Return the 99th percentile."""
        return sorted(self.times_s)[int(len(self.times_s) * 0.99)] * 1e3


def spec(name: str, replicas: int) -> dict[str, object]:
    """Return a service like many."""
    return {
        "Name": name,
        "Labels": {"tier": "front"},
        "TaskTemplate": {
            "ContainerSpec": {"Image": "nginx:1.27", "Env": ["A=1", "B=2"]},
            "Networks": [{"Target": "none"}],
            "RestartPolicy": {"Condition": "any"},
        },
        "Mode": {"Replicated": {"Replicas": replicas}},
    }


@contextmanager
def cluster(agents: int) -> Iterator[tuple[ManagerProcess, IO[bytes]]]:
    """Lend a manager and what so many agents tell; to admit them is no part of what is measured."""
    with tempfile.TemporaryDirectory(prefix="skep-bench-") as folder:
        manager = ManagerProcess(Path(folder) / "m1")
        manager.init()
        token = manager.get("/swarm")["JoinTokens"]["Worker"]
        simulated = subprocess.Popen(
            [sys.executable, "-m", "bench.simulated_agents", manager.address, token, str(agents)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        try:
            assert simulated.stdout is not None, "it is a pipe"
            assert simulated.stdout.readline() == b"registered\n"
            yield manager, simulated.stdout
        except BaseException:
            print(manager.log()[-4000:], file=sys.stderr)
            raise
        finally:
            simulated.kill()
            simulated.wait()
            manager.stop()


def memory_mb(pid: int, field: str) -> float:
    """Return a figure of /proc/PID/status."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise AssertionError(field)


def cpu_s(pid: int) -> float:
    """Return the processor time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def run(
    report: Report, manager: ManagerProcess, told: IO[bytes], services: int, tasks: int
) -> None:
    """Bring all tasks to running; print what it took."""
    assert manager.process is not None
    pid = manager.process.pid
    each = tasks // services
    manager.request("POST", "/services/create", spec("web0", 0))
    reader = Reader(manager)
    reader.start()
    report.add("memory with its agents alone", memory_mb(pid, "VmRSS"), "MB", 300, least=False)
    before_s, start = cpu_s(pid), time.perf_counter()
    for number in range(1, services + 1):
        answer = manager.request("POST", "/services/create", spec(f"web{number}", each))
        assert answer.status == 201, answer.body
    lost = 0
    while (line := told.readline()) and int(line.split()[0]) < each * services:
        assert time.perf_counter() < start + LIMIT_S, f"they never run: {line!r}"
        lost = int(line.split()[1])
    took_s = time.perf_counter() - start
    reader.is_over = True
    reader.join()
    report.add("tasks to running", each * services / took_s, "tasks/s", 3000, least=True)
    report.add(
        "the same by the manager's processor",
        each * services / (cpu_s(pid) - before_s),
        "tasks/s",
        3000,
        least=True,
    )
    report.add("reads meanwhile, p99", reader.p99_ms(), "ms", 100, least=False)
    report.add("sessions lost", lost, "", 0, least=False)
    shown = manager.get("/services?status=true")
    counted = sum(service["ServiceStatus"]["RunningTasks"] for service in shown)
    assert counted == each * services, counted
    report.add("the manager's memory", memory_mb(pid, "VmRSS"), "MB", 300, least=False)


def main() -> int:
    """Measure; 1 when a target is missed."""
    parser = argparse.ArgumentParser(prog="bench.control_plane", description=__doc__)
    parser.add_argument("--agents", type=int, default=1000)
    parser.add_argument("--tasks", type=int, default=20_000)
    parser.add_argument("--services", type=int, default=20)
    options = parser.parse_args()
    report = Report()
    with cluster(options.agents) as (manager, told):
        run(report, manager, told, options.services, options.tasks)
    return int(report.missed > 0)


if __name__ == "__main__":
    sys.exit(main())
