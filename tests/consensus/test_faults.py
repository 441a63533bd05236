"""Members under faults and load: the history is linearizable, nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.lan import Lan
from tests.consensus.cluster import Cluster, Node, Refused, running, until, write
from tests.consensus.workload import Workload
from tests.sim.linearizability import check

# Small, so that dumps and compaction happen all the time.
OFTEN: dict[str, Any] = {"snapshot_entries": 300, "trailing_entries": 50}


@asynccontextmanager
async def loaded(cluster: Cluster, seed: int, clients: int = 6) -> AsyncIterator[Workload]:
    """Run clients beside the block; in the end everyone must be able to read, and agree."""
    workload = Workload(cluster.nodes, clients=clients, registers=4, seed=seed)
    async with asyncio.TaskGroup() as group:
        group.create_task(workload.run())
        try:
            await workload.progress(50)
            yield workload
            await workload.progress(50)
        finally:
            workload.stop()
    assert check(workload.history) is None, workload.outcomes
    for key in ("r0", "r1", "r2", "r3"):
        values = [(await node.ask("read", key=key))["value"] for node in cluster.nodes]
        assert 1 == len(set(values)), values


async def kill_leader(cluster: Cluster, workload: Workload) -> None:
    leader = await cluster.leader()
    leader.kill()
    await workload.progress(100)
    leader.start()
    await cluster.whole()


async def kill_everyone(cluster: Cluster, workload: Workload) -> None:
    for node in cluster.nodes:
        node.kill()
    for node in cluster.nodes:
        node.start()
    await cluster.whole()


async def freeze_leader(cluster: Cluster, workload: Workload) -> None:
    """Longer than an election takes; it wakes up and still believes that it leads."""
    leader = await cluster.leader()
    leader.signal(signal.SIGSTOP)
    try:
        others = [node for node in cluster.nodes if node is not leader]
        await cluster.leader(*others)
        await workload.progress(100)
    finally:
        leader.signal(signal.SIGCONT)
    await cluster.whole()


async def freeze_follower(cluster: Cluster, workload: Workload) -> None:
    """Let it fall behind what the others keep of the log; it comes back by a snapshot."""
    follower = (await cluster.followers())[0]
    follower.signal(signal.SIGSTOP)
    try:
        await workload.progress(900)
    finally:
        follower.signal(signal.SIGCONT)
    await cluster.whole()


async def hand_over(cluster: Cluster, workload: Workload) -> None:
    for _ in range(3):
        leader = await cluster.leader()
        with suppress(Refused):  # nobody was near enough: it goes on leading
            await leader.ask("transfer")
        await workload.progress(20)


FAULTS = [kill_leader, kill_everyone, freeze_leader, freeze_follower, hand_over]
Fault = Callable[[Cluster, Workload], Awaitable[None]]


@pytest.mark.parametrize("fault", FAULTS)
async def test_history_is_linearizable_under(tmp_path: Path, fault: Fault) -> None:
    async with running(tmp_path, 3, **OFTEN) as cluster, loaded(cluster, seed=1) as workload:
        await fault(cluster, workload)


async def test_five_members_come_through_the_loss_of_two(tmp_path: Path) -> None:
    async with running(tmp_path, 5, **OFTEN) as cluster, loaded(cluster, seed=2) as workload:
        victims = [await cluster.leader(), (await cluster.followers())[0]]
        for victim in victims:
            victim.kill()
        await workload.progress(100)
        for victim in victims:
            victim.start()
        await cluster.whole()


@pytest.mark.parametrize(("count", "limit_s"), [(3, 1.5), (5, 3.0)])
async def test_killed_leader_is_replaced_in_time(
    tmp_path: Path, count: int, limit_s: float
) -> None:
    async with running(tmp_path, count) as cluster:
        leader = await cluster.leader()
        others = [node for node in cluster.nodes if node is not leader]
        await write([leader], "a", 1)
        leader.kill()

        taken_s = await write(others, "a", 2)

        assert taken_s <= limit_s


async def test_load_alone_causes_no_election(tmp_path: Path) -> None:
    async with running(tmp_path, 3, **OFTEN) as cluster:
        before = await term(cluster.nodes[0])
        async with loaded(cluster, seed=3, clients=16) as workload:
            await workload.progress(3000)

        assert before == await term(cluster.nodes[0])


async def term(node: Node) -> int:
    status = await node.status()
    assert status is not None
    found: int = status["term"]
    return found


async def test_without_quorum_requests_fail_within_seconds(tmp_path: Path) -> None:
    async with running(tmp_path, 3) as cluster:
        leader = await cluster.leader()
        for node in await cluster.followers():
            node.kill()

        for op in ({"op": "write", "key": "a", "value": 1}, {"op": "read", "key": "a"}):
            began = time.monotonic()
            with pytest.raises(Refused):
                await leader.ask(**op)
            assert time.monotonic() - began < 8

        async def knows_it() -> bool:
            status = await leader.status()
            return status is not None and status["leader"] is None

        await until(knows_it, "the lonely leader to step down")
        began = time.monotonic()
        with pytest.raises(Refused, match="NoLeader"):
            await leader.ask("read", key="a")
        with pytest.raises(Refused, match="NotLeader"):
            await leader.ask("write", key="a", value=1)
        assert time.monotonic() - began < 4


@pytest.fixture
def lan() -> Iterator[Lan]:
    """Lend a network of three hosts."""
    if os.geteuid() != 0:
        pytest.skip("makes network namespaces")
    network = Lan(f"raft{os.getpid()}", 3)
    network.build()
    try:
        yield network
    finally:
        network.destroy()


async def test_history_is_linearizable_under_partitions(tmp_path: Path, lan: Lan) -> None:
    """The leader cut off both ways, then one way each: what it is asked stays unanswered."""
    async with running(tmp_path, 3, lan, **OFTEN) as cluster, loaded(cluster, seed=4) as workload:
        for direction in ("both", "out", "in"):
            leader = await cluster.leader()
            number = cluster.nodes.index(leader)
            others = [each for each in range(3) if each != number]
            if direction == "both":
                lan.part(number)
            elif direction == "out":
                lan.cut(number, to=others)
            else:
                lan.cut(*others, to=[number])
            await cluster.leader(*(cluster.nodes[each] for each in others))
            await workload.progress(100)
            lan.heal()
            await cluster.whole()
