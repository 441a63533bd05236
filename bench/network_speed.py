"""Requests through balanced addresses beside the task's own; a tunnel of ours beside a bare one."""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from bench.network_bare import bare_forwarding, bare_tunnel
from bench.network_cluster import CLIENT, SERVER, Bed
from bench.store import Report
from tests.cluster.lan import run
from tests.root.name_client import addresses_inside
from tests.root.node import wait_until

_ROUNDS = 11
_SECONDS = 1
_PORT = 8090
_LEAST_PERCENT = 90.0
# Over what else the machine does: it would weigh on one of a pair alone.
_FIRST = ("nice", "-n", "-15")

Take: TypeAlias = Callable[[], tuple[float, float]]
"""A measurement: a rate, and what each unit of it costs in processor time."""


def speed(bed: Bed, report: Report) -> None:
    """Compare on one network, a client on the first node, a server on the second."""
    first, second, third = bed.hosts
    bed.manager.docker("network", "create", "-d", "overlay", "speed")
    bed.create(
        "fast", "--network", "speed", "-p", f"{_PORT}:80", "--stop-grace-period", "1s",
        "--constraint", f"node.hostname=={second.hostname}", *SERVER,
    )  # fmt: skip
    bed.create(
        "asker", "--network", "speed", "--constraint", f"node.hostname=={first.hostname}",
        "--stop-grace-period", "0s", *CLIENT,
    )  # fmt: skip
    task = bed.running("fast", 1)[0]
    asker = bed.sandbox(bed.running("asker", 1)[0])
    wait_until(lambda: bool(addresses_inside(str(asker), "tasks.fast")), "the names")
    (own,), (virtual,) = (addresses_inside(str(asker), name) for name in ("tasks.fast", "fast"))
    outside = bed.space_outside()
    direct = f"http://{own}/"

    servers = _children(task["Status"]["ContainerStatus"]["PID"])

    def requests(place: Path, url: str) -> Take:
        return lambda: _wrk(place, url, servers)

    for name, place, url in (
        ("virtual address", asker, f"http://{virtual}/"),
        ("mesh, node without a task", outside, f"http://{third.address}:{_PORT}/"),
        ("mesh, node with the task", outside, f"http://{second.address}:{_PORT}/"),
    ):
        _pair(report, f"{name}: requests", requests(place, url), requests(asker, direct))
    with bare_forwarding(third, second, bed.sandbox(task)) as bare:
        shortest = requests(outside, bare)
        _pair(report, "shortest way by hand, same hosts: requests", shortest,
              requests(asker, direct), has_target=False)  # fmt: skip
        without = requests(outside, f"http://{third.address}:{_PORT}/")
        _pair(report, "mesh beside the shortest way: requests", without, shortest,
              has_target=False)  # fmt: skip
    with bare_tunnel(first, second) as (near, far, far_address):
        _pair(
            report,
            "throughput beside a bare VXLAN",
            lambda: _iperf(asker, bed.sandbox(task), own),
            lambda: _iperf(near, far, far_address),
        )
    bed.remove("fast", "asker")
    bed.manager.docker("network", "rm", "speed")


def _pair(report: Report, name: str, ours: Take, other: Take, *, has_target: bool = True) -> None:
    """Take both in turn; the figure is the median of the rounds' ratios."""
    ours(), other()
    ratios: list[float] = []
    figures: list[tuple[float, float]] = []
    costs: list[tuple[float, float]] = []
    for number in range(_ROUNDS):
        takes = [ours, other] if number % 2 == 0 else [other, ours]
        taken = [take() for take in takes]
        mine, others = taken if number % 2 == 0 else reversed(taken)
        ratios.append(mine[0] / others[0])
        figures.append((mine[0], others[0]))
        costs.append((mine[1], others[1]))
    percent = 100 * statistics.median(ratios)
    if has_target:
        report.add(name, percent, "%", _LEAST_PERCENT, least=True)
    else:
        report.tell(name, percent, "%")
    middle = [statistics.median(each) for each in zip(*figures, strict=True)]
    least = [min(each) for each in zip(*costs, strict=True)]
    print(f"  medians {middle[0]:,.0f} and {middle[1]:,.0f}; ratios {min(ratios):.2f} to "
          f"{max(ratios):.2f}; by processor time {100 * least[1] / least[0]:.0f} %; "
          f"load {os.getloadavg()[0]:.1f}")  # fmt: skip


def _inside(place: Path) -> list[str]:
    return [*_FIRST, "nsenter", f"--net={place}"]


def _wrk(place: Path, url: str, servers: list[int]) -> tuple[float, float]:
    """Return requests per second, and seconds of the processors per request."""
    began_s = _processor_s(servers)
    words = [*_inside(place), "wrk", "-t", "1", "-c", "16", "-d", f"{_SECONDS}s", url]
    lines = run(*words).splitlines()
    assert not any("Socket errors" in line or "Non-2xx" in line for line in lines), lines
    spent_s = _processor_s(servers) - began_s
    rate = float(next(each for each in lines if each.startswith("Requests/sec")).split()[1])
    return rate, spent_s / (rate * _SECONDS)


def _processor_s(servers: list[int]) -> float:
    """Return what the commands that were run, and the servers, have taken by now."""
    commands = resource.getrusage(resource.RUSAGE_CHILDREN)
    stats = [Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split() for each in servers]
    ticks = sum(int(each[11]) + int(each[12]) for each in stats)
    return commands.ru_utime + commands.ru_stime + ticks / os.sysconf("SC_CLK_TCK")


def _children(pid: int) -> list[int]:
    """Return a process's children: they serve."""
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _iperf(near: Path, far: Path, address: str) -> tuple[float, float]:
    """Return Mbit/s, and the share of the processors for each of them."""
    serving = subprocess.Popen([*_inside(far), "iperf3", "-s", "-1"], stdout=subprocess.DEVNULL)
    try:
        for _ in range(100):
            words = [*_inside(near), "iperf3", "-c", address, "-t", str(_SECONDS), "-J"]
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            # Before the other side listens it says so, some versions with a success's status.
            end = json.loads(done.stdout)["end"]
            if received := end.get("sum_received"):
                rate = float(received["bits_per_second"]) / 1e6
                used = end["cpu_utilization_percent"]
                return rate, (used["host_total"] + used["remote_total"]) / rate
            time.sleep(0.05)
        raise AssertionError(done.stdout)
    finally:
        serving.terminate()
        serving.wait()
