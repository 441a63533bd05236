"""How long names take at the resolver of a container, with many services on its network."""

from __future__ import annotations

import os
import random
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from bench.api import Connection
from bench.network_cluster import CLIENT, WEB, Bed
from bench.store import Report
from tests.root.name_client import RESOLVER, addresses_inside, question
from tests.root.node import wait_until
from tests.root.overlay_bed import in_namespace

_SERVICES = 500
_RATE = 400.0
_ASKED = 2000
_P99_MS = 2.0
_FIRST = -15
_ECHO = """
import socket, sys
served = socket.socket(fileno=int(sys.argv[1]))
while True:
    served.sendto(*served.recvfrom(512))
"""


def names(bed: Bed, report: Report) -> None:
    """Ask for names at a steady rate, each a service's that has an address of its own."""
    bed.manager.docker("network", "create", "-d", "overlay", "--subnet", "10.77.0.0/20", "names")
    api = Connection(str(bed.manager.socket))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: _create(bed, number), range(_SERVICES)))
    bed.create("asker", "--network", "names", "--stop-grace-period", "0s", *CLIENT)
    task = bed.running("asker", 1)[0]
    place, resolver = bed.sandbox(task), bed.host_of(task).process
    assert resolver is not None
    last = f"svc{_SERVICES - 1}"
    wait_until(lambda: bool(addresses_inside(str(place), last)), "the names", 60)
    # Over what else the machine does: how long a processor is waited for is not looked at here.
    os.setpriority(os.PRIO_PROCESS, resolver.pid, _FIRST)
    taken_ms, bare_ms = _ask_all(place)
    p99 = int(_ASKED * 0.99)
    report.add("names, 99th percentile", taken_ms[p99], "ms", _P99_MS, least=False)
    print(f"  {_RATE:.0f}/s, {_SERVICES} services; median {statistics.median(taken_ms):.2f} ms, "
          f"longest {taken_ms[-1]:.1f} ms; a bare echo {statistics.median(bare_ms):.2f}, 99th "
          f"percentile {bare_ms[p99]:.1f} ms; load {os.getloadavg()[0]:.1f}")  # fmt: skip
    for service in api.call("GET", "/services"):
        api.call("DELETE", f"/services/{service['ID']}")
    wait_until(lambda: not bed.manager.docker("network", "rm", "names", check=False).returncode,
               "the network to be free", 60)  # fmt: skip


def _create(bed: Bed, number: int) -> None:
    spec = {
        "Name": f"svc{number}",
        "TaskTemplate": {"ContainerSpec": {"Image": WEB}, "Networks": [{"Target": "names"}]},
        "Mode": {"Replicated": {"Replicas": 0}},
    }
    Connection(str(bed.manager.socket)).call("POST", "/services/create", spec)


def _ask_all(place: Path) -> tuple[list[float], list[float]]:
    """Return how many milliseconds each answer took, and each of a bare echo beside it, sorted."""
    chance = random.Random(7)

    def work() -> tuple[list[float], list[float]]:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _FIRST)
        taken: list[float] = []
        bare: list[float] = []
        with _asker(RESOLVER) as client, _echo() as echo, _asker(echo) as other:
            begun_s = time.perf_counter()
            for number in range(_ASKED):
                packet = question(f"svc{chance.randrange(_SERVICES)}")
                time.sleep(max(0.0, begun_s + number / _RATE - time.perf_counter()))
                answer = _timed(client, packet, taken)
                assert answer[7] == 1, "no address"
                _timed(other, packet, bare)
        return sorted(taken), sorted(bare)

    return in_namespace(place, work)


def _asker(address: tuple[str, int]) -> socket.socket:
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.settimeout(5)
    client.connect(address)
    return client


def _timed(client: socket.socket, packet: bytes, taken_ms: list[float]) -> bytes:
    asked_s = time.perf_counter()
    client.send(packet)
    answer = client.recv(512)
    taken_ms.append((time.perf_counter() - asked_s) * 1e3)
    return answer


@contextmanager
def _echo() -> Iterator[tuple[str, int]]:
    """Lend a socket whose datagrams come back: how long this machine takes for nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as served:
        served.bind(("127.0.0.1", 0))
        command = [sys.executable, "-c", _ECHO, str(served.fileno())]
        with subprocess.Popen(command, pass_fds=[served.fileno()]) as process:
            try:
                os.setpriority(os.PRIO_PROCESS, process.pid, _FIRST)
                yield served.getsockname()
            finally:
                process.kill()
