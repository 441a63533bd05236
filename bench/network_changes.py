"""What a change costs on its way from the managers' store into the kernel of a node.

Real store, loop and wire format, real VXLAN, bridges and nftables; no containers run, and the log
commits at once. A task of a large network is taken out of its service and put back in; on the node
some containers use all the services. Processor time is of the whole process, manager and node.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from typing import Any

from msgspec.structs import replace

from agent.adapters.engine_overlay import EngineOverlay
from agent.adapters.overlay_wire import news_from_wire
from agent.core.overlay_news import OverlayNews
from agent.overlay import NodeOverlays
from api.types.cluster_networks import (
    ClusterIPAMConfig,
    Endpoint,
    EndpointVirtualIP,
    IPAMOptions,
    NetworkAttachmentConfig,
    NetworkSpec,
)
from api.types.nodes import NodeDescription
from api.types.objects import Driver
from api.types.services import ServiceSpec
from api.types.tasks import TaskSpec, TaskState, TaskStatus
from bench.store import Cluster, Report
from engine.adapters.clock import SystemClock
from engine.ports.overlay import Transaction
from manager.adapters.clock import SteadyClock
from manager.core.dispatcher.arrival import Arrival
from manager.core.objects.network import Network
from manager.core.objects.node import Node
from manager.core.objects.service import Service
from manager.core.objects.task import Task, TaskNetwork
from manager.loops.agent_sessions import AgentSessions
from manager.loops.overlays import OverlayLoop
from manager.rpc.overlay import messages
from protos.skep.v1 import overlay_pb2 as wire
from tests.root.overlay_bed import OverlayNode, overlay_nodes

_TASKS_EACH = 10
_SIZES = (5, 50, 500)
_CONTAINERS = 10
_NODES = 20
_ROUNDS = 30
_DATAPLANE_MS, _NFT_MS = 50.0, 10.0
# What the largest may cost beside the smallest: the change's cost, not the size's.
_GROWTH = 2.0
_NET = "benchnetaaaaaaaaaaaaaaaaa"
_SERVICE, _TASK = "s3", "t3-5"
_ATTACHED = [NetworkAttachmentConfig(Target=_NET)]


@dataclass
class Figures:
    """Milliseconds: medians until the kernel has it, and of nftables; the least of a processor."""

    until_there: float
    nft: float
    processor: float


def changes(report: Report) -> None:
    """Measure at several sizes."""
    found = {size: asyncio.run(_measure(size)) for size in _SIZES}
    for size, figures in found.items():
        print(f"  {size} services x {_TASKS_EACH}: {figures.until_there:.1f} ms until it is in the "
              f"tables of {_CONTAINERS} containers, nftables {figures.nft:.2f} ms each, "
              f"processor {figures.processor:.1f} ms, load {os.getloadavg()[0]:.1f}")  # fmt: skip
    least, most = found[_SIZES[0]], found[_SIZES[-1]]
    report.add("change until the dataplane has it", most.until_there, "ms",
               _DATAPLANE_MS, least=False)  # fmt: skip
    report.add("its nftables update", most.nft, "ms", _NFT_MS, least=False)
    report.add("its cost at 500 services over that at 5", most.processor / least.processor,
               "ratio", _GROWTH, least=False)  # fmt: skip


async def _measure(size: int) -> Figures:
    cluster = Cluster()
    with overlay_nodes(1) as (node,):
        try:
            return await _Run(cluster, node, size).measure()
        finally:
            cluster.stop()


class _Run:
    """A cluster of so many services, and one node that is real."""

    def __init__(self, cluster: Cluster, node: OverlayNode, size: int) -> None:
        self._cluster = cluster
        self._node = node
        self._size = size
        self._nft_s: list[float] = []
        self._targets: set[str] = set()
        self._agent = NodeOverlays(
            EngineOverlay(node.env), SystemClock(), lambda: "n0", lambda: node.address
        )
        _time_calls(node.env.overlay.balancers, self._nft_s)

    async def measure(self) -> Figures:
        """Return the medians of some rounds."""
        await self._fill()
        sessions = AgentSessions("m1", self._cluster.store, SteadyClock())
        arrival = Arrival(description=NodeDescription(Hostname="n0"), address=self._node.address)
        session_id = await sessions.register("n0", arrival)
        loop = OverlayLoop(self._cluster.store, SteadyClock(), sessions)
        following = asyncio.ensure_future(loop.run())
        told = loop.changes("n0", session_id)
        try:
            await self._tell(told, _TASKS_EACH)
            for number in range(_CONTAINERS):
                address = str(ip_address("10.20.8.0") + number + 1)
                await asyncio.to_thread(self._node.start, f"t0-{number}", address, net=_NET)
            return await self._rounds(told)
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)

    async def _rounds(self, told: AsyncIterator[Any]) -> Figures:
        taken, nft, processor = [], [], []
        for number in range(_ROUNDS):
            is_out = number % 2 == 0
            self._nft_s.clear()
            waiting = asyncio.ensure_future(self._tell(told, _TASKS_EACH - is_out))
            await asyncio.sleep(0.01)
            began_s, began_processor_s = time.perf_counter(), time.process_time()
            wanted = TaskState.SHUTDOWN if is_out else TaskState.RUNNING
            await self._cluster.store.update(partial(_want, state=wanted))
            await waiting
            taken.append(time.perf_counter() - began_s)
            processor.append(time.process_time() - began_processor_s)
            nft += self._nft_s
        middle = statistics.median
        return Figures(*(each * 1e3 for each in (middle(taken), middle(nft), min(processor))))

    async def _tell(self, told: AsyncIterator[Any], targets: int) -> None:
        """Bring news to the node, over the wire's format, until the service has so many targets."""
        while len(self._targets) != targets:
            for message in messages(await anext(told)):
                heard = wire.OverlayMessage.FromString(message.SerializeToString())
                news = news_from_wire(heard)
                await asyncio.to_thread(self._take_over, news)
                self._note_targets(news)

    def _note_targets(self, news: OverlayNews) -> None:
        for network in news.networks:
            for service in network.services:
                if service.id == _SERVICE:
                    self._targets = {each for each, _ in service.targets}
            for change in network.targets:
                if change.service_id == _SERVICE:
                    self._targets |= {each for each, _ in change.targets}
                    self._targets -= {*change.removed}

    def _take_over(self, news: OverlayNews) -> None:
        self._node.do(self._agent.take_over(news))

    async def _fill(self) -> None:
        network = Network(
            id=_NET,
            spec=NetworkSpec(Name="bench_net", Internal=True),
            driver_state=Driver(
                Name="overlay",
                Options={"com.docker.network.driver.overlay.vxlanid_list": "4100"},
            ),
            ipam=IPAMOptions(Configs=[ClusterIPAMConfig(Subnet="10.20.0.0/16")]),
        )
        objects: list[tuple[str, Any]] = [("networks", network)]
        objects += [("nodes", _node(number, self._node.address)) for number in range(_NODES)]
        for number in range(self._size):
            objects.append(("services", _service(number)))
            objects += [("tasks", _task(number, each)) for each in range(_TASKS_EACH)]
        await self._cluster.store.batch(_creation(*each) for each in objects)


def _creation(rows: str, made: Any) -> Callable[[Any], None]:
    return lambda tx: getattr(tx, rows).create(made)


def _want(tx: Any, state: TaskState) -> None:
    tx.tasks.update(replace(tx.tasks.get(_TASK), desired_state=state))


def _node(number: int, address: str) -> Node:
    own = address if number == 0 else f"10.231.1.{number}"
    return Node(id=f"n{number}", data_path_address=own)


def _service(number: int) -> Service:
    address = f"{ip_address('10.20.0.0') + number + 2}/16"
    return Service(
        id=f"s{number}",
        spec=ServiceSpec(Name=f"svc{number}", TaskTemplate=TaskSpec(Networks=_ATTACHED)),
        endpoint=Endpoint(VirtualIPs=[EndpointVirtualIP(NetworkID=_NET, Addr=address)]),
    )


def _task(service: int, slot: int) -> Task:
    number = service * _TASKS_EACH + slot
    address = f"{ip_address('10.20.8.0') + number + 1}/16"
    return Task(
        id=f"t{service}-{slot}",
        service_id=f"s{service}",
        service_name=f"svc{service}",
        slot=slot + 1,
        # The containers of the node that is looked at are the first service's.
        node_id="n0" if service == 0 else f"n{1 + number % (_NODES - 1)}",
        desired_state=TaskState.RUNNING,
        status=TaskStatus(State=TaskState.RUNNING),
        networks=[TaskNetwork(network_id=_NET, addresses=[address])],
    )


def _time_calls(balancers: Any, taken_s: list[float]) -> None:
    """Have it noted how long the transaction of a sandbox takes."""
    run_all = balancers.run_all

    async def timed(orders: Sequence[Transaction]) -> Any:
        began_s = time.perf_counter()
        failed = await run_all(orders)
        taken_s.append((time.perf_counter() - began_s) / len(orders))
        return failed

    balancers.run_all = timed
