"""Agents' sessions with the leader: who is up, who is down, what each hears."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from msgspec.structs import replace

from api.cluster_errors import NoSuchNode
from api.types.nodes import NodeDescription, NodeRole
from manager.core.dispatcher.arrival import Arrival
from manager.core.dispatcher.notice import Notice
from manager.core.objects.node import IssuanceState, ManagerMember, Node
from manager.loops.agent_sessions import AgentSessions, NoSession
from manager.ports.outcomes import NotLeader
from tests.fakes.clock import FakeClock
from tests.fakes.small_cluster import SmallCluster, small_cluster, until

ARRIVAL = Arrival(description=NodeDescription(Hostname="fresh"), address="10.0.1.9")


class Hub:
    """Sessions of one term, with the clock that they go by."""

    def __init__(self, cluster: SmallCluster) -> None:
        self.cluster = cluster
        self.clock = FakeClock()
        self.silent: set[str] = set()
        self.sessions = AgentSessions("m1", cluster.store, self.clock, lambda: self.silent)

    def state(self, node_id: str) -> str:
        return self.cluster.node(node_id).status.State

    async def pass_time(self, seconds: float, step_s: float = 0.5) -> None:
        for _ in range(round(seconds / step_s)):
            self.clock.advance(step_s)
            await asyncio.sleep(0.001)


@asynccontextmanager
async def hub(workers: int = 1) -> AsyncIterator[Hub]:
    async with small_cluster(workers=workers) as cluster:
        made = Hub(cluster)
        running = asyncio.create_task(made.sessions.run())
        await until(lambda: "unknown" == made.state("m1"))
        try:
            yield made
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running


class Hearing:
    """What one session was told so far."""

    def __init__(self, sessions: AgentSessions, node_id: str, session_id: str) -> None:
        self.heard: list[Notice] = []
        self.task = asyncio.create_task(self._listen(sessions, node_id, session_id))

    async def _listen(self, sessions: AgentSessions, node_id: str, session_id: str) -> None:
        async for notice in sessions.notices(node_id, session_id):
            self.heard.append(notice)

    async def count(self, number: int) -> Notice:
        await until(lambda: len(self.heard) >= number or self.task.done())
        return self.heard[number - 1]


async def test_new_leader_knows_nothing_of_nodes_until_they_come() -> None:
    """Their tasks may well run: to call them down at once would start all of them twice."""
    async with hub() as found:
        assert "unknown" == found.state("w1")
        assert "leadership change" in found.cluster.node("w1").status.Message

        await found.sessions.register("w1", ARRIVAL)

        assert "ready" == found.state("w1")
        await found.pass_time(14)
        assert "unknown" == found.state("m1")
        await found.pass_time(2)
        assert "down" == found.state("m1")


async def test_registration_tells_what_the_node_is() -> None:
    async with hub() as found:
        await found.sessions.register("w1", ARRIVAL)

        node = found.cluster.node("w1")
        assert ("fresh", "10.0.1.9", "10.0.1.9") == (
            node.description.Hostname,
            node.status.Addr,
            node.data_path_address,
        )


async def test_same_registration_again_writes_nothing() -> None:
    """A thousand agents that reconnect must not mean a thousand entries."""
    async with hub() as found:
        await found.sessions.register("w1", ARRIVAL)
        entries = len(found.cluster.log.entries)

        await found.sessions.register("w1", ARRIVAL)

        assert entries == len(found.cluster.log.entries)


async def test_node_that_registers_while_it_is_called_unknown_is_ready() -> None:
    """A new leader's word on the nodes of before may be on its way when the first of them come."""
    async with small_cluster(workers=1) as cluster:
        before = Hub(cluster)
        await before.sessions.register("w1", ARRIVAL)
        cluster.log.hold()
        after = Hub(cluster)
        inheriting = asyncio.create_task(after.sessions.run())
        await cluster.log.arrived.wait()

        registering = asyncio.create_task(after.sessions.register("w1", ARRIVAL))
        await asyncio.sleep(0)
        cluster.log.release()
        await registering

        await until(lambda: "unknown" == after.state("m1"))
        assert "ready" == after.state("w1")
        inheriting.cancel()
        await asyncio.wait({inheriting})


async def test_unknown_node_cannot_register() -> None:
    async with hub() as found:
        with pytest.raises(NoSuchNode):
            await found.sessions.register("ghost", ARRIVAL)


async def test_silent_node_is_down_and_a_beating_one_is_not() -> None:
    async with hub(workers=2) as found:
        silent = await found.sessions.register("w1", ARRIVAL)
        alive = await found.sessions.register("w2", ARRIVAL)
        for _ in range(4):
            await found.pass_time(4)
            found.sessions.beat("w2", alive)

        await until(lambda: "down" == found.state("w1"))
        assert ("ready", "heartbeat failure") == (
            found.state("w2"),
            found.cluster.node("w1").status.Message,
        )
        with pytest.raises(NoSession):
            found.sessions.beat("w1", silent)


async def test_node_that_comes_back_is_ready_again() -> None:
    async with hub() as found:
        await found.sessions.register("w1", ARRIVAL)
        await found.pass_time(16)
        await until(lambda: "down" == found.state("w1"))

        await found.sessions.register("w1", ARRIVAL)

        assert ("ready", "") == (found.state("w1"), found.cluster.node("w1").status.Message)


async def test_broken_connection_shortens_the_wait() -> None:
    async with hub() as found:
        session = await found.sessions.register("w1", ARRIVAL)
        found.sessions.lose("w1", session)

        await found.pass_time(2.5)
        assert "ready" == found.state("w1")
        await found.pass_time(2)

        assert "down" == found.state("w1")


async def test_node_is_down_when_its_time_is_over_and_not_at_the_next_check() -> None:
    """Its tasks are missed for as long as nobody looks."""
    async with hub() as found:
        session = await found.sessions.register("w1", ARRIVAL)
        await found.pass_time(0.3, 0.1)
        found.sessions.lose("w1", session)

        await found.pass_time(3.4, 0.1)
        assert "ready" == found.state("w1")
        await found.pass_time(0.15, 0.05)

        assert "down" == found.state("w1")


async def test_agent_that_pauses_is_not_down_for_its_broken_connection() -> None:
    async with hub() as found:
        session = await found.sessions.register("w1", ARRIVAL)
        await found.sessions.pause("w1", session)
        found.sessions.lose("w1", session)

        await found.pass_time(12)
        assert "disconnected" == found.state("w1")
        await found.pass_time(4)

        assert "down" == found.state("w1")
        with pytest.raises(NoSession):
            await found.sessions.pause("w1", session)


async def test_agent_that_comes_back_from_its_pause_is_ready_at_once() -> None:
    async with hub() as found:
        session = await found.sessions.register("w1", ARRIVAL)
        await found.sessions.pause("w1", session)
        found.sessions.lose("w1", session)

        await found.sessions.register("w1", ARRIVAL)

        assert ("ready", "") == (found.state("w1"), found.cluster.node("w1").status.Message)


async def test_new_leader_knows_who_paused() -> None:
    """The leader's own daemon is restarted: it pauses, its manager ends, and another one leads."""
    async with small_cluster(managers=2) as cluster:
        before = Hub(cluster)
        await before.sessions.pause("m1", await before.sessions.register("m1", ARRIVAL))
        await before.sessions.register("m2", ARRIVAL)
        after = Hub(cluster)
        after.silent |= {"m1", "m2"}
        leading = asyncio.create_task(after.sessions.run())
        await until(lambda: "unknown" == after.state("m2"))

        await after.pass_time(12)

        assert ("disconnected", "down") == (after.state("m1"), after.state("m2"))
        await after.pass_time(4)
        assert "down" == after.state("m1")
        leading.cancel()
        await asyncio.wait({leading})


async def test_node_of_a_silent_manager_is_down_soon() -> None:
    async with hub() as found:
        found.silent.add("m1")

        await found.pass_time(5)

        assert ("down", "unknown") == (found.state("m1"), found.state("w1"))


async def test_session_hears_all_at_first_and_then_what_changes() -> None:
    async with hub() as found:
        session = await found.sessions.register("w1", ARRIVAL)
        hearing = Hearing(found.sessions, "w1", session)
        first = await hearing.count(1)
        assert (NodeRole.WORKER, "active", False) == (first.role, first.availability, first.renew)
        assert ["10.0.0.1:2377"] == [peer.address for peer in first.common.managers]
        assert "BEGIN CERTIFICATE" in first.common.roots

        await found.cluster.change_node("w1", lambda node: replace(node, role=NodeRole.MANAGER))

        assert NodeRole.MANAGER is (await hearing.count(2)).role


async def test_session_hears_that_its_certificate_is_to_be_renewed() -> None:
    async with hub() as found:
        hearing = Hearing(found.sessions, "w1", await found.sessions.register("w1", ARRIVAL))
        await hearing.count(1)

        def renew(node: Node) -> Node:
            certificate = replace(node.certificate, state=IssuanceState.RENEW)
            return replace(node, certificate=certificate)

        await found.cluster.change_node("w1", renew)

        assert (await hearing.count(2)).renew


async def test_all_sessions_hear_of_a_new_manager() -> None:
    async with hub(workers=2) as found:
        hearing = Hearing(found.sessions, "w1", await found.sessions.register("w1", ARRIVAL))
        await hearing.count(1)

        place = ManagerMember(raft_id=9, address="10.0.0.9:2377")
        await found.cluster.change_node("w2", lambda node: replace(node, manager=place))

        managers = (await hearing.count(2)).common.managers
        assert ["10.0.0.1:2377", "10.0.0.9:2377"] == [peer.address for peer in managers]


async def test_what_does_not_concern_a_node_is_not_told() -> None:
    async with hub(workers=2) as found:
        hearing = Hearing(found.sessions, "w1", await found.sessions.register("w1", ARRIVAL))
        await hearing.count(1)

        await found.sessions.register("w2", ARRIVAL)
        await asyncio.sleep(0.01)

        assert 1 == len(hearing.heard)


async def test_removed_nodes_session_ends() -> None:
    async with hub() as found:
        hearing = Hearing(found.sessions, "w1", await found.sessions.register("w1", ARRIVAL))
        await hearing.count(1)

        await found.cluster.store.update(lambda tx: tx.nodes.remove("w1"))

        await until(hearing.task.done)
        assert isinstance(hearing.task.exception(), NoSession)


async def test_second_session_of_a_node_ends_the_first() -> None:
    async with hub() as found:
        first = await found.sessions.register("w1", ARRIVAL)
        hearing = Hearing(found.sessions, "w1", first)
        await hearing.count(1)

        await found.sessions.register("w1", ARRIVAL)

        await until(hearing.task.done)
        with pytest.raises(NoSession):
            found.sessions.beat("w1", first)


async def test_sessions_end_with_the_leadership() -> None:
    async with hub() as found:
        hearing = Hearing(found.sessions, "w1", await found.sessions.register("w1", ARRIVAL))
        await hearing.count(1)

        found.sessions.close()

        await until(hearing.task.done)
        assert isinstance(hearing.task.exception(), NotLeader)


async def test_period_follows_the_clusters_spec() -> None:
    async with hub() as found:
        session = await found.sessions.register("w1", ARRIVAL)
        [cluster] = found.cluster.store.view().clusters
        dispatcher = replace(cluster.spec.Dispatcher, HeartbeatPeriod=2_000_000_000)
        changed = replace(cluster, spec=replace(cluster.spec, Dispatcher=dispatcher))

        await found.cluster.store.update(lambda tx: tx.clusters.update(changed))
        await until(lambda: 2 == found.sessions.period_s)

        assert 2 == found.sessions.beat("w1", session)


async def test_manager_that_was_deaf_takes_nobody_for_dead() -> None:
    async with hub() as found:
        await found.sessions.register("w1", ARRIVAL)
        await found.pass_time(1)

        found.clock.advance(60)
        await found.pass_time(2)

        assert "ready" == found.state("w1")
