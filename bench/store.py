"""The managers' store alone, without log and network: `python -m bench.store`.

Prints each figure beside its target, and ends with 1 when one is missed; the machine should have
nothing else to do. Memory is measured in a process of its own for each kind of cluster, from before
the store is filled.
"""

from __future__ import annotations

import asyncio
import os
import random
import string
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from itertools import pairwise
from typing import Any

import msgspec
from msgspec.structs import replace

from api.types.configs import ConfigSpec
from api.types.nodes import NodeDescription
from api.types.secrets import SecretSpec
from api.types.services import ServiceSpec
from api.types.tasks import ContainerStatus, TaskState, TaskStatus
from manager.collector import spared
from manager.core.objects.config import Config
from manager.core.objects.node import Node
from manager.core.objects.secret import Secret
from manager.core.objects.service import Service
from manager.core.objects.task import Task
from manager.core.objects.times import to_api_time
from manager.core.store.entry import Change
from manager.core.store.tables import NODES, SERVICES, TASKS
from manager.core.store.transaction import Transaction
from manager.core.store.watch import Match
from manager.store import Store
from tests.fakes.proposer import FakeProposer

OBJECTS = 50_000
SERVICE_BODY = """{"Name": "web", "Labels": {"com.example.tier": "front"}, "TaskTemplate": {
"ContainerSpec": {"Image": "nginx:latest@sha256:%s", "Init": false, "DNSConfig": {},
"Env": ["A=1", "B=2"], "Isolation": "default", "StopGracePeriod": 10000000000,
"Mounts": [{"Type": "volume", "Source": "data", "Target": "/data"}]},
"Resources": {"Limits": {}, "Reservations": {}},
"RestartPolicy": {"Condition": "any", "Delay": 5000000000, "MaxAttempts": 0},
"Placement": {"Platforms": [{"Architecture": "amd64", "OS": "linux"}]},
"Networks": [{"Target": "abcdefghijklmnopqrstuvwxy"}], "ForceUpdate": 0, "Runtime": "container"},
"Mode": {"Replicated": {"Replicas": 3}}, "UpdateConfig": {"Parallelism": 1, "Order": "stop-first",
"FailureAction": "pause", "Monitor": 5000000000, "MaxFailureRatio": 0}, "EndpointSpec": {"Mode":
"vip", "Ports": [{"Protocol": "tcp", "TargetPort": 80, "PublishedPort": 8080}]}}""" % ("0" * 64)

_random = random.Random(7)
_letters = string.digits + string.ascii_lowercase
_spec = msgspec.json.Decoder(ServiceSpec)


class Cluster:
    """A store, and a log that commits at once."""

    def __init__(self) -> None:
        self.store = Store(time.time_ns)
        self.log = FakeProposer(self.store.apply)
        self.log.keep = False
        self._running = asyncio.create_task(self.store.run(self.log))
        self._around = ExitStack()
        self._around.enter_context(spared(lambda: self.store.changes))

    def stop(self) -> None:
        """Commit no more."""
        self._running.cancel()
        self._around.close()

    async def fill(self, *, services: int, tasks: int, nodes: int, files: int) -> None:
        """Create so many of each; tasks evenly over services, half the files secrets."""
        await self._create("services", (_service(number) for number in range(services)))
        await self._create("nodes", (_node(number) for number in range(nodes)))
        owners = list(self.store.view().services)
        await self._create(
            "tasks", (_task(owners[n % services], n // services + 1) for n in range(tasks))
        )
        await self._create("secrets", (_secret(number) for number in range(files // 2)))
        await self._create("configs", (_config(number) for number in range(files // 2)))

    async def _create(self, rows: str, items: Any) -> None:
        def creation(item: Any) -> Change[None]:
            def change(tx: Transaction) -> None:
                getattr(tx, rows).create(item)

            return change

        await self.store.batch(creation(item) for item in items)


def _new_id() -> str:
    return "".join(_random.choices(_letters, k=25))


def _service(number: int) -> Service:
    return Service(id=_new_id(), spec=replace(_spec.decode(SERVICE_BODY), Name=f"web{number}"))


def _node(number: int) -> Node:
    return Node(id=_new_id(), description=NodeDescription(Hostname=f"host{number}"))


def _secret(number: int) -> Secret:
    return Secret(id=_new_id(), spec=SecretSpec(Name=f"secret{number}", Data=b"x" * 40))


def _config(number: int) -> Config:
    return Config(id=_new_id(), spec=ConfigSpec(Name=f"config{number}", Data=b"x" * 400))


def _task(owner: Service, slot: int) -> Task:
    status = TaskStatus(Timestamp=to_api_time(time.time_ns()), Message="created")
    return Task(
        id=_new_id(),
        service_id=owner.id,
        service_name=owner.spec.Name,
        spec=owner.spec.TaskTemplate,
        slot=slot,
        desired_state=TaskState.RUNNING,
        status=status,
    )


def resident_mb() -> float:
    """Return the memory of this process."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def milliseconds(work: Callable[[], object], rounds: int = 9) -> float:
    """Return the least time of some rounds: others use this machine too."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times) * 1e3


class Report:
    """Figures and their targets."""

    def __init__(self) -> None:
        self.missed = 0

    def add(self, name: str, figure: float, unit: str, target: float, *, least: bool) -> None:
        """Print a figure; `least`: the target is the least that it should be."""
        is_met = figure >= target if least else figure <= target
        self.missed += not is_met
        sign, verdict = (">=" if least else "<="), ("ok" if is_met else "MISSED")
        print(f"{name:44}{figure:12,.1f} {unit:10}{sign} {target:<10,g}{verdict}", flush=True)

    def tell(self, name: str, figure: float, unit: str) -> None:
        """Print a figure that others are judged by, and has no target itself."""
        print(f"{name:44}{figure:12,.1f} {unit}", flush=True)


async def measure_memory(kind: str) -> None:
    """Fill a store in this process and print how much more it takes."""
    before = resident_mb()
    cluster = Cluster()
    if kind == "services":
        await cluster.fill(services=OBJECTS, tasks=0, nodes=0, files=0)
    else:
        await cluster.fill(services=1_000, tasks=OBJECTS - 5_000, nodes=2_000, files=2_000)
    print(resident_mb() - before)
    cluster.stop()


async def measure_speed(report: Report) -> None:
    """Measure reads, writes and watches at 50,000 objects."""
    cluster = Cluster()
    await cluster.fill(services=1_000, tasks=OBJECTS - 5_000, nodes=2_000, files=2_000)
    view, encode = cluster.store.view(), msgspec.json.encode
    services, ids = list(view.services), [task.id for task in view.tasks]

    def tasks_of_twenty_services() -> object:
        return encode([t for s in services[:22] for t in view.tasks.by(service=s.id)])

    reads: list[tuple[str, Callable[[], object], float]] = [
        ("300 services found and encoded", lambda: encode(list(view.services)[:300]), 5),
        ("990 tasks by service, encoded", tasks_of_twenty_services, 15),
        ("5,000 objects found and encoded", lambda: encode(list(view.tasks)[:5_000]), 150),
    ]
    for name, work, target_ms in reads:
        report.add(name, milliseconds(work), "ms", target_ms, least=False)
    await _measure_changes(report, cluster, ids)
    await _measure_dump(report, cluster)
    cluster.stop()


async def _measure_changes(report: Report, cluster: Cluster, ids: Sequence[str]) -> None:
    """Report task changes per second with hundreds of watchers, and the longest stall."""
    nodes = [node.id for node in cluster.store.view().nodes]
    status = TaskStatus(
        State=TaskState.RUNNING,
        Timestamp=to_api_time(time.time_ns()),
        ContainerStatus=ContainerStatus(ContainerID="a" * 64, PID=12),
    )

    def to_node(number: int) -> Change[None]:
        def change(tx: Transaction) -> None:
            found = tx.tasks.need(ids[number])
            node_id = nodes[number % len(nodes)]
            tx.tasks.update(replace(found, node_id=node_id, status=status))

        return change

    narrow = [cluster.store.watch(Match(TASKS, keys={"node": node})) for node in nodes[:1000]]
    broad = [cluster.store.watch(Match(TASKS), Match(SERVICES), Match(NODES)) for _ in range(300)]
    start, count = time.process_time(), 20_000
    stall_s = await _stall_during(cluster.store.batch(map(to_node, range(count))))
    rate = count / (time.process_time() - start)
    report.add("task changes, 1,000 + 300 watchers", rate, "per CPU s", 20_000, least=True)
    report.add("longest stall meanwhile", stall_s * 1e3, "ms", 100, least=False)
    heard = sum(len(events) for sub in narrow for events in iter(sub.take, []))
    assert heard == count / 2, heard
    for subscription in (*narrow, *broad):
        subscription.close()


async def _measure_dump(report: Report, cluster: Cluster) -> None:
    start = time.perf_counter()
    dumping = asyncio.to_thread(lambda: b"".join(cluster.store.dump()))
    stall_s = await _stall_during(dumping)
    report.add("dump in a thread", (time.perf_counter() - start) * 1e3, "ms", 5_000, least=False)
    report.add("longest stall meanwhile", stall_s * 1e3, "ms", 100, least=False)
    data = b"".join(cluster.store.dump())
    report.add("its size", len(data) / 1e6, "MB", 50, least=False)
    start = time.perf_counter()
    Store(time.time_ns).load([data])(cluster.log.index)
    report.add("restore", time.perf_counter() - start, "s", 5, least=False)


async def _stall_during(work: Any) -> float:
    """Return the longest time that the loop did not turn while something was done."""
    ticks = [time.perf_counter()]
    done = asyncio.ensure_future(work)
    while not done.done():
        await asyncio.sleep(0)
        ticks.append(time.perf_counter())
    await done
    return max(after - before for before, after in pairwise(ticks))


def main() -> int:
    """Run everything; 1 when a target is missed."""
    if len(sys.argv) > 1:
        asyncio.run(measure_memory(sys.argv[1]))
        return 0
    report = Report()
    for kind, target in (("mixed", 300), ("services", 300)):
        command = [sys.executable, "-m", "bench.store", kind]
        grown = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        report.add(f"memory of {OBJECTS:,} objects, {kind}", grown, "MB", target, least=False)
    asyncio.run(measure_speed(report))
    return int(report.missed > 0)


if __name__ == "__main__":
    sys.exit(main())
