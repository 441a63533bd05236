"""A cluster in memory: the real store over a log that commits at once, members by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

import grpc.aio

from api.types.nodes import NodeDescription, NodeRole, NodeSpec, NodeState, NodeStatus
from api.types.swarm import SwarmInitRequest
from manager.adapters.external_issuer import CfsslIssuer
from manager.adapters.issuer import LocalIssuer
from manager.adapters.leader_logs import LeaderLogs
from manager.cluster.env import ClusterEnv
from manager.cluster.swarm.init import new_cluster
from manager.core.objects.node import ManagerMember, Node
from manager.core.store.transaction import Transaction
from manager.store import Store
from tests.fakes.membership import FakeMembership, member
from tests.fakes.proposer import FakeProposer

T = TypeVar("T")

NOW_NS = 1_700_000_000_000_000_000


def manager_node(number: int) -> Node:
    """Return a manager `m<number>`, a member of raft."""
    return Node(
        id=f"m{number}",
        spec=NodeSpec(Role="manager", Availability="active"),
        role=NodeRole.MANAGER,
        description=NodeDescription(Hostname=f"host-m{number}"),
        status=NodeStatus(State=NodeState.READY, Addr=f"10.0.0.{number}"),
        manager=ManagerMember(raft_id=number, address=f"10.0.0.{number}:2377"),
    )


def worker_node(number: int) -> Node:
    """Return a worker `w<number>`."""
    return Node(
        id=f"w{number}",
        spec=NodeSpec(Role="worker", Availability="active"),
        description=NodeDescription(Hostname=f"host-w{number}"),
        status=NodeStatus(State=NodeState.READY, Addr=f"10.0.1.{number}"),
    )


def _no_channel(address: str) -> grpc.aio.Channel:
    raise AssertionError(address)


class SmallCluster:
    """What a test looks at and turns."""

    def __init__(self) -> None:
        self.now_ns = NOW_NS
        self.store = Store(lambda: self.now_ns)
        self.log = FakeProposer(self.store.apply)
        self.members = FakeMembership()
        self.issuer = LocalIssuer()
        self.env = ClusterEnv(
            node_id="m1",
            store=self.store,
            members=self.members,
            issuer=self.issuer,
            external_issuer=CfsslIssuer(lambda: None),
            note_key_shown=lambda: None,
            logs=LeaderLogs(lambda: None, lambda: None, _no_channel),
        )

    async def begin(self, managers: int = 1, workers: int = 0) -> None:
        """Make the cluster and its nodes; the first manager leads."""
        cluster = new_cluster("c1", SwarmInitRequest(), self.issuer)

        def change(tx: Transaction) -> None:
            tx.clusters.create(cluster)
            for number in range(1, managers + 1):
                tx.nodes.create(manager_node(number))
            for number in range(1, workers + 1):
                tx.nodes.create(worker_node(number))

        await self.store.update(change)
        self.members.members = [
            member(number, f"m{number}", is_leader=number == 1) for number in range(1, managers + 1)
        ]

    def node(self, node_id: str) -> Node:
        """Return a node as it is now."""
        return self.store.view().nodes.need(node_id)

    async def change_node(self, node_id: str, become: Callable[[Node], Node]) -> None:
        """Rewrite a node."""
        await self.store.update(lambda tx: tx.nodes.update(become(tx.nodes.need(node_id))))


@asynccontextmanager
async def small_cluster(managers: int = 1, workers: int = 0) -> AsyncIterator[SmallCluster]:
    """Lend a cluster whose store commits while the block runs."""
    cluster = SmallCluster()
    running = asyncio.create_task(cluster.store.run(cluster.log))
    try:
        await cluster.begin(managers, workers)
        yield cluster
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def until(is_so: Callable[[], bool]) -> None:
    """Return when it is so; tasks that are ready run meanwhile."""
    async with asyncio.timeout(5):
        while not is_so():  # noqa: ASYNC110 - what is looked at tells nobody
            await asyncio.sleep(0.001)
