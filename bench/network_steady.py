"""No request is lost while a service grows, shrinks and is updated."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from bench.network_cluster import CLIENT, HEALTH, SERVER, Bed
from bench.store import Report
from tests.cluster.steady_client import Account, asking
from tests.root.name_client import addresses_inside
from tests.root.node import wait_until

_RATE = 500.0
_PORT = 8080


def steady(bed: Bed, report: Report, rate: float = _RATE, most: int = 30) -> None:
    """Ask through the virtual address and through the mesh, all the while."""
    manager, mesh = bed.manager, bed.hosts[1].address
    manager.docker("network", "create", "-d", "overlay", "steady")
    bed.create(
        "web", "--replicas", "3", "--network", "steady", "-p", f"{_PORT}:80",
        "--stop-signal", "SIGQUIT", *HEALTH, "--update-order", "start-first",
        "--update-parallelism", "2", "--update-monitor", "100ms", *SERVER,
    )  # fmt: skip
    bed.create("client", "--network", "steady", *CLIENT)
    bed.running("web", 3)
    place = bed.sandbox(bed.running("client", 1)[0])
    wait_until(lambda: bool(addresses_inside(str(place), "web")), "the service's name")
    (virtual,) = addresses_inside(str(place), "web")
    phases: list[tuple[float, str]] = []

    def phase(name: str, work: Callable[[], None]) -> None:
        phases.append((time.monotonic(), name))
        work()
        print(f"  {name}: {time.monotonic() - phases[-1][0]:.1f} s", flush=True)

    with (
        asking(place, virtual, 80, rate) as inside,
        asking(bed.space_outside(), mesh, _PORT, rate) as outside,
    ):
        phase(f"3 to {most}", lambda: _scale(bed, most))
        phase(f"{most} to 3", lambda: _scale(bed, 3))
        phase("update of 3, start first", lambda: _update(bed))
        phase("at rest", lambda: time.sleep(1))
    for name, account in (("virtual address", inside), ("mesh", outside)):
        _tell(report, name, account, phases)
    bed.remove("web", "client")
    manager.docker("network", "rm", "steady")


def _scale(bed: Bed, count: int) -> None:
    bed.manager.docker("service", "scale", "-d", f"web={count}")
    bed.running("web", count)
    wait_until(lambda: _containers(bed) == count, "the containers", 120)


def _update(bed: Bed) -> None:
    old = {each["ID"] for each in bed.running("web", 3)}
    bed.manager.docker("service", "update", "-d", "--env-add", "ROUND=2", "web")
    wait_until(lambda: not old & {each["ID"] for each in bed.running("web", 3)}, "the update", 120)
    wait_until(lambda: _containers(bed) == 3, "the containers", 120)


def _containers(bed: Bed) -> int:
    words = ("ps", "-q", "-f", "label=com.docker.swarm.service.name=web")
    return sum(len(each.docker(*words).stdout.split()) for each in bed.hosts)


def _tell(report: Report, name: str, account: Account, phases: list[tuple[float, str]]) -> None:
    report.add(f"requests lost, {name}", len(account.lost), "", 0, least=False)
    print(f"  of {account.sent}, {account.late} took over 1 s, the longest "
          f"{account.worst_s:.2f} s; load {os.getloadavg()[0]:.1f}")  # fmt: skip
    for loss in account.lost[:20]:
        during = [each for at_s, each in phases if at_s <= loss.at_s]
        print(f"  lost in {during[-1] if during else 'the beginning'}: {loss.why}, "
              f"{loss.at_s - phases[0][0]:.2f} s, after {loss.took_s:.2f} s")  # fmt: skip
