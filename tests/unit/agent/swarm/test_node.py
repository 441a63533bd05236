"""All that a node does in a swarm follows its certificate."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from agent.core.addresses import Addresses
from agent.core.node_state import NodeState, PendingJoin, first_state
from agent.core.standing import ManagerPhase, has_control, local_state
from agent.ports.manager_process import ManagerFailed, Ready
from agent.swarm.beginning import Beginning, Create, Join, Resume
from agent.swarm.node import Node, NodeEnv
from api.errors import NotFound, Unavailable
from api.swarm_errors import InvalidJoinToken
from api.types.nodes import NodeDescription, NodeRole
from tests.fakes.certificates import FakeCertificates
from tests.fakes.clock import FakeClock
from tests.fakes.dispatchers import FakeDispatchers, FakeManager, news
from tests.fakes.manager_process import FakeLauncher
from tests.fakes.node_file import FakeNodeFile
from tests.fakes.overlay_plane import idle_overlays
from tests.fakes.workers import idle_worker, silence
from tests.unit.agent.waiting import until

ADDRESSES = Addresses("0.0.0.0:2377", "10.0.0.9:2377", "", "10.0.0.9")
REMOTE = "10.0.0.1:2377"
FOUNDED = first_state(ADDRESSES)
JOINING = first_state(ADDRESSES, PendingJoin(remotes=(REMOTE,), token="SWMTKN", availability=""))
MEMBER = first_state(ADDRESSES, PendingJoin(remotes=(REMOTE,), token="", availability=""))
MANAGER, WORKER = NodeRole.MANAGER, NodeRole.WORKER


class Bed:
    """A node among fakes."""

    def __init__(
        self, state: NodeState, certificates: FakeCertificates, *words: Ready | ManagerFailed
    ) -> None:
        self.certificates = certificates
        self.file = FakeNodeFile()
        self.launcher = FakeLauncher([*words] or [Ready("self", locked=False)])
        self.leader = FakeManager()
        self.clock = FakeClock()
        self.node = Node(
            NodeEnv(
                file=self.file,
                certificates=certificates,
                launcher=self.launcher,
                dispatchers=FakeDispatchers({REMOTE: self.leader, "10.0.0.9:2377": self.leader}),
                clock=self.clock,
                chance=lambda: 0.0,
                describe=self._describe,
                follow_events=silence,
                worker=idle_worker(self.clock),
                overlays=idle_overlays(self.clock),
            ),
            state,
        )

    async def _describe(self) -> NodeDescription:
        return NodeDescription(Hostname="here")

    @asynccontextmanager
    async def running(self, beginning: Beginning) -> AsyncIterator[Node]:
        self.node.start(beginning)
        try:
            yield self.node
        finally:
            await self.node.stop()

    async def manager_phase(self, phase: ManagerPhase) -> None:
        await until(lambda: self.node.standing.manager is phase, phase.name)


async def test_a_worker_joins_and_forgets_the_token() -> None:
    """A token that stays on a worker's disk lets thieves of the disk join."""
    bed = Bed(JOINING, FakeCertificates(granted=WORKER))
    bed.leader.messages.put_nowait(news())

    async with bed.running(Join()) as node:
        await node.ready()

        assert [((REMOTE,), "SWMTKN", "")] == bed.certificates.asked
        assert bed.file.state is not None
        assert bed.file.state.pending is None
        assert "active" == local_state(node.standing)
        assert not bed.launcher.launched


async def test_a_manager_joins_through_the_manager_that_it_was_given() -> None:
    bed = Bed(JOINING, FakeCertificates(granted=MANAGER))
    bed.leader.messages.put_nowait(news(role=MANAGER))

    async with bed.running(Join()) as node:
        await node.ready()

        assert has_control(node.standing)
        assert [REMOTE] == [each.join for each, _ in bed.launcher.launched]
    assert 1 == bed.launcher.launched[0][1].stops


async def test_a_refused_join_ends_with_the_managers_words() -> None:
    bed = Bed(JOINING, FakeCertificates(granted=InvalidJoinToken()))

    async with bed.running(Join()) as node:
        with pytest.raises(InvalidJoinToken):
            await node.ready()


async def test_a_join_that_nobody_answers_fails_unless_it_is_resumed() -> None:
    """Who waits at the terminal wants to know; after a restart nobody does."""
    bed = Bed(JOINING, FakeCertificates(granted=Unavailable("nobody")))
    async with bed.running(Join()) as node:
        with pytest.raises(Unavailable):
            await node.ready()

    certificates = FakeCertificates()
    certificates.granted = [Unavailable("nobody"), WORKER]
    bed = Bed(JOINING, certificates)
    bed.leader.messages.put_nowait(news())
    async with bed.running(Resume()) as node:
        await until(lambda: node.standing.error == "nobody")
        bed.clock.advance(1)
        await node.ready()


async def test_the_founder_starts_its_manager_and_takes_the_certificate_that_this_makes() -> None:
    certificates = FakeCertificates()
    bed = Bed(FOUNDED, certificates)
    bed.leader.messages.put_nowait(news(role=MANAGER))

    async with bed.running(Create(b"{}")) as node:
        await until(lambda: len(bed.launcher.launched) == 1)
        certificates.on_disk = MANAGER
        await node.ready()

        arguments = bed.launcher.launched[0][0]
        assert (b"{}", "") == (arguments.init, arguments.join)
        assert bed.file.state is not None, "kept only once the swarm is there"


async def test_a_founding_that_fails_says_why_and_keeps_nothing() -> None:
    bed = Bed(FOUNDED, FakeCertificates(), ManagerFailed("invalid spec", 400))

    async with bed.running(Create(b"{}")) as node:
        with pytest.raises(ManagerFailed, match="invalid spec"):
            await node.ready()

    assert bed.file.state is None


async def test_promotion_is_another_certificate_and_a_manager() -> None:
    bed = Bed(MEMBER, FakeCertificates(on_disk=WORKER, granted=MANAGER))
    bed.leader.messages.put_nowait(news(role=WORKER))

    async with bed.running(Resume()) as node:
        await node.ready()
        bed.leader.messages.put_nowait(news(role=MANAGER))

        await bed.manager_phase(ManagerPhase.SERVING)

        assert MANAGER is node.standing.role
        assert [REMOTE] == [each.join for each, _ in bed.launcher.launched]
        await until(lambda: len(bed.leader.registrations) == 2)


async def test_demotion_stops_the_manager_and_wipes_what_it_kept() -> None:
    bed = Bed(MEMBER, FakeCertificates(on_disk=MANAGER, granted=WORKER))
    bed.file.has_log = True
    bed.leader.messages.put_nowait(news(role=MANAGER))

    async with bed.running(Resume()) as node:
        await node.ready()
        assert [""] == [each.join for each, _ in bed.launcher.launched], "it has its log"
        bed.leader.messages.put_nowait(news(role=WORKER))

        await until(lambda: "clear manager" in bed.file.history)

        assert ManagerPhase.ABSENT is node.standing.manager
        assert 1 == bed.launcher.launched[0][1].stops
        assert 1 == bed.certificates.released, "the key is no longer locked by the manager's"


async def test_a_locked_manager_waits_and_has_its_session_after_unlocking() -> None:
    certificates = FakeCertificates(on_disk=MANAGER)
    certificates.is_locked = True
    bed = Bed(MEMBER, certificates, Ready("self", locked=True))
    bed.file.has_log = True

    async with bed.running(Resume()) as node:
        await node.ready()
        assert "locked" == local_state(node.standing)
        assert not bed.leader.registrations

        await node.unlocked("right")
        bed.leader.messages.put_nowait(news(role=MANAGER))

        await node.ready()
        assert has_control(node.standing)


async def test_a_forced_cluster_is_asked_of_the_first_manager_alone() -> None:
    bed = Bed(MEMBER, FakeCertificates(on_disk=MANAGER))
    bed.file.has_log = True
    bed.leader.messages.put_nowait(news(role=MANAGER))

    async with bed.running(Resume(force_new_cluster=True)) as node:
        await node.ready()
        bed.launcher.launched[0][1].end(-9)
        await bed.manager_phase(ManagerPhase.STARTING)
        bed.clock.advance(1)
        await until(lambda: len(bed.launcher.launched) == 2)

    assert [True, False] == [each.force_new_cluster for each, _ in bed.launcher.launched]


async def test_a_node_that_was_removed_says_so() -> None:
    bed = Bed(MEMBER, FakeCertificates(on_disk=WORKER))
    bed.leader.messages.put_nowait(NotFound("node self not found"))

    async with bed.running(Resume()) as node:
        await until(lambda: local_state(node.standing) == "error")

        assert "if it was removed from the swarm" in node.standing.error


async def test_managers_are_remembered_for_the_next_start() -> None:
    bed = Bed(MEMBER, FakeCertificates(on_disk=WORKER))
    bed.leader.messages.put_nowait(news(managers=(("m1", REMOTE), ("m2", "10.0.0.2:2377"))))

    async with bed.running(Resume()) as node:
        await node.ready()

    assert bed.file.state is not None
    assert [REMOTE, "10.0.0.2:2377"] == [each.address for each in bed.file.state.managers]
