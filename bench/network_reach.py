"""How soon a new task is found by name, and reached by its service's address, on every node."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.network_cluster import HEALTH, WEB, Bed
from bench.store import Report
from tests.root.name_client import addresses_inside
from tests.root.node import wait_until
from tests.root.overlay_bed import in_namespace

_ROUNDS = 10
_LIMIT_MS = 200.0
_PAUSE_S = 0.002


def reach(bed: Bed, report: Report) -> None:
    """Let a service of no task have one, again and again, and look from all nodes meanwhile."""
    bed.manager.docker("network", "create", "-d", "overlay", "reach")
    bed.create("looker", "--mode", "global", "--network", "reach", "--stop-grace-period", "0s",
               "--entrypoint", "sleep", WEB, "100000")  # fmt: skip
    bed.create("new", "--replicas", "0", "--network", "reach", "--stop-grace-period", "0s",
               *HEALTH, WEB)  # fmt: skip
    places = [bed.sandbox(each) for each in bed.running("looker", len(bed.hosts))]
    for place in places:
        wait_until(lambda at=place: bool(addresses_inside(str(at), "new")), "the name")  # type: ignore[misc] # bound
    (virtual,) = addresses_inside(str(places[0]), "new")
    by_name: list[float] = []
    by_address: list[float] = []
    for _ in range(_ROUNDS):
        looks: list[tuple[list[float], Callable[[], bool], Path]] = []
        for place in places:
            looks += [
                (by_name, lambda at=place: bool(addresses_inside(str(at), "tasks.new")), place),  # type: ignore[misc] # bound
                (by_address, lambda at=place: in_namespace(at, lambda: _serves(virtual)), place),  # type: ignore[misc] # bound
            ]
        seen_s: list[float] = [0.0] * len(looks)
        threads = [
            threading.Thread(target=_until, args=(look[1], seen_s, number))
            for number, look in enumerate(looks)
        ]
        for thread in threads:
            thread.start()
        bed.manager.docker("service", "scale", "-d", "new=1")
        for thread in threads:
            thread.join(60)
        healthy_s = _healthy_s(bed, bed.running("new", 1)[0])
        for (figures, _, _), at_s in zip(looks, seen_s, strict=True):
            figures.append((at_s - healthy_s) * 1e3)
        bed.manager.docker("service", "scale", "-d", "new=0")
        wait_until(lambda: not any(_serves_from(each, virtual) for each in places), "its end", 60)
    for name, figures in (("by name", by_name), ("by address", by_address)):
        figures.sort()
        report.add(f"new task reached {name}, longest", figures[-1], "ms", _LIMIT_MS, least=False)
        print(f"  of {len(figures)} on {len(places)} nodes: median {figures[len(figures) // 2]:.0f}"
              f", 90 % within {figures[int(len(figures) * 0.9)]:.0f} ms, "
              f"load {os.getloadavg()[0]:.1f}")  # fmt: skip
    bed.remove("new", "looker")
    bed.manager.docker("network", "rm", "reach")


def _until(look: Callable[[], bool], seen_s: list[float], number: int) -> None:
    deadline_s = time.time() + 60
    while not look() and time.time() < deadline_s:
        time.sleep(_PAUSE_S)
    seen_s[number] = time.time()


def _serves(address: str) -> bool:
    try:
        with socket.create_connection((address, 80), 5) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return connection.recv(100).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def _serves_from(place: Path, address: str) -> bool:
    return in_namespace(place, lambda: _serves(address))


def _healthy_s(bed: Bed, task: dict[str, Any]) -> float:
    """Return when the probe ended that found it healthy."""
    host = bed.host_of(task)
    shown = host.get(f"/containers/{task['Status']['ContainerStatus']['ContainerID']}/json")
    good = [each for each in shown["State"]["Health"]["Log"] if each["ExitCode"] == 0]
    return datetime.fromisoformat(good[0]["End"]).timestamp()
