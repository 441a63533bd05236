"""init, join, leave and unlock: each ends whole, or as if it had not been asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from ipaddress import ip_address

import msgspec
import pytest

from agent.core.addresses import Addresses, Interface, Machine, NoSystemAddress
from agent.core.node_state import NodeState, first_state
from agent.core.standing import ManagerPhase, Standing
from agent.ports.manager_process import ManagerFailed, Ready
from agent.swarm.beginning import Resume
from agent.swarm.env import Membership, SwarmEnv
from agent.swarm.info import SwarmView
from agent.swarm.init import init
from agent.swarm.join import join
from agent.swarm.leave import Refused, leave
from agent.swarm.node import Node, NodeEnv
from agent.swarm.unlock import unlock
from api.errors import InvalidArgument
from api.swarm_errors import (
    AlreadyInSwarm,
    CutOffManagerLeaves,
    InvalidJoinToken,
    JoinTimedOut,
    LeaveLocked,
    NotInSwarm,
    NotManager,
    SwarmNotLocked,
)
from api.types.nodes import NodeDescription, NodeRole
from api.types.swarm import SwarmInfo, SwarmInitRequest, SwarmJoinRequest, SwarmUnlockRequest
from tests.fakes.certificates import FakeCertificates
from tests.fakes.clock import FakeClock
from tests.fakes.dispatchers import FakeDispatchers, FakeManager, news
from tests.fakes.manager_api import FakeAnswer, FakeManagerApi
from tests.fakes.manager_process import FakeLauncher
from tests.fakes.node_file import FakeNodeFile
from tests.fakes.overlay_plane import idle_overlays
from tests.fakes.workers import idle_worker, silence

SELF, REMOTE = "10.0.0.9:2377", "10.0.0.1:2377"
JOIN = SwarmJoinRequest(RemoteAddrs=["10.0.0.1"], JoinToken="SWMTKN")
LEAVE = (b"POST", b"/swarm/leave?force=0")
UNLOCK = (b"POST", b"/swarm/unlock")


class Bed:
    """The verbs among fakes; the leader takes every session."""

    def __init__(self) -> None:
        self.membership = Membership()
        self.file = FakeNodeFile()
        self.certificates = FakeCertificates(on_disk=NodeRole.MANAGER)
        self.launcher = FakeLauncher([Ready("self", locked=False)])
        self.manager = FakeManagerApi()
        self.leader = FakeManager()
        self.interfaces = [Interface("eth0", (ip_address("10.0.0.9"),))]
        self.removed: list[str] = []
        self.env = SwarmEnv(
            membership=self.membership,
            file=self.file,
            manager=self.manager,
            clock=FakeClock(),
            machine=self._machine,
            describe=self._describe,
            new_node=self._new_node,
            remove_tasks=self._remove_tasks,
        )

    async def _machine(self) -> Machine:
        return Machine(self.interfaces)

    async def _describe(self) -> NodeDescription:
        return NodeDescription(Hostname="here")

    async def _remove_tasks(self, node_id: str) -> None:
        self.removed.append(node_id)

    async def _new_node(self, state: NodeState) -> Node:
        self.leader.messages.put_nowait(news(role=self.certificates.on_disk or NodeRole.WORKER))
        return await self.new_node_without_session(state)

    async def new_node_without_session(self, state: NodeState) -> Node:
        """Return a node whose session no manager takes yet."""
        return Node(
            NodeEnv(
                file=self.file,
                certificates=self.certificates,
                launcher=self.launcher,
                dispatchers=FakeDispatchers({SELF: self.leader, REMOTE: self.leader}),
                clock=FakeClock(),
                chance=lambda: 0.0,
                describe=self._describe,
                follow_events=silence,
                worker=idle_worker(FakeClock()),
                overlays=idle_overlays(FakeClock()),
            ),
            state,
        )

    def joining_as(self, granted: NodeRole) -> None:
        """Let a join give this role."""
        self.certificates.on_disk = None
        self.certificates.granted = [granted]

    @property
    def standing(self) -> Standing:
        return self.membership.standing


@pytest.fixture
async def bed() -> AsyncIterator[Bed]:
    """Lend a machine in no swarm."""
    made = Bed()
    yield made
    if made.membership.node is not None:
        await made.membership.node.stop()


async def test_init_makes_a_manager_and_answers_its_id(bed: Bed) -> None:
    assert "self" == await init(bed.env, SwarmInitRequest(AutoLockManagers=True))

    assert ManagerPhase.SERVING is bed.standing.manager
    orders = msgspec.json.decode(bed.launcher.launched[0][0].init)
    assert True is orders["Request"]["AutoLockManagers"]
    assert "here" == orders["Description"]["Hostname"]


async def test_a_second_init_is_refused(bed: Bed) -> None:
    await init(bed.env, SwarmInitRequest())

    with pytest.raises(AlreadyInSwarm):
        await init(bed.env, SwarmInitRequest())


async def test_an_init_without_an_address_starts_nothing(bed: Bed) -> None:
    bed.interfaces.clear()

    with pytest.raises(NoSystemAddress):
        await init(bed.env, SwarmInitRequest())

    assert Standing() == bed.standing
    assert not bed.launcher.launched


async def test_an_init_that_the_manager_refuses_leaves_nothing(bed: Bed) -> None:
    bed.launcher.words = [ManagerFailed("invalid spec", 400)]

    with pytest.raises(ManagerFailed, match="invalid spec"):
        await init(bed.env, SwarmInitRequest())

    assert Standing() == bed.standing
    assert "clear" == bed.file.history[-1]


async def test_a_forced_init_takes_the_old_state_over(bed: Bed) -> None:
    await init(bed.env, SwarmInitRequest())

    await init(bed.env, SwarmInitRequest(ForceNewCluster=True))

    assert [False, True] == [each.force_new_cluster for each, _ in bed.launcher.launched]
    assert 1 == bed.file.history.count("clear"), "the state of before is what it is about"


async def test_a_forced_init_that_fails_leaves_the_manager_as_it_was(bed: Bed) -> None:
    await init(bed.env, SwarmInitRequest())
    bed.file.has_log = True
    bed.launcher.words = [ManagerFailed("damaged"), Ready("self", locked=False)]

    with pytest.raises(ManagerFailed, match="damaged"):
        await init(bed.env, SwarmInitRequest(ForceNewCluster=True))

    assert bed.membership.node is not None
    await bed.membership.node.ready()
    assert not bed.launcher.launched[-1][0].force_new_cluster


@pytest.mark.parametrize("role", [NodeRole.WORKER, NodeRole.MANAGER])
async def test_join_returns_when_the_node_is_what_the_token_makes_it(
    bed: Bed, role: NodeRole
) -> None:
    """The CLI asks `docker info` next, and says as what the node joined."""
    bed.joining_as(role)

    await join(bed.env, JOIN)

    assert role is bed.standing.role
    assert (role is NodeRole.MANAGER) is (bed.standing.manager is ManagerPhase.SERVING)


async def test_a_refused_join_leaves_nothing(bed: Bed) -> None:
    bed.joining_as(NodeRole.WORKER)
    bed.certificates.granted = [InvalidJoinToken()]

    with pytest.raises(InvalidJoinToken):
        await join(bed.env, JOIN)

    assert Standing() == bed.standing
    assert bed.file.state is None


async def test_a_join_that_takes_long_goes_on_without_its_client(bed: Bed) -> None:
    bed.joining_as(NodeRole.WORKER)
    env = replace(bed.env, join_timeout_s=0.01, new_node=bed.new_node_without_session)

    with pytest.raises(JoinTimedOut):
        await join(env, JOIN)

    assert (True, False) == (bed.standing.in_swarm, bed.standing.has_session)
    bed.leader.messages.put_nowait(news())
    assert bed.membership.node is not None
    await bed.membership.node.ready()


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (SwarmJoinRequest(), "at least 1 RemoteAddr is required to join"),
        (
            SwarmJoinRequest(RemoteAddrs=["10.0.0.1"], Availability="lazy"),
            'invalid Availability: "lazy"',
        ),
        (SwarmJoinRequest(RemoteAddrs=["10.0.0.1:x"]), "invalid port"),
    ],
)
async def test_a_senseless_join_starts_nothing(
    bed: Bed, request_: SwarmJoinRequest, words: str
) -> None:
    with pytest.raises(InvalidArgument, match=words):
        await join(bed.env, request_)

    assert [] == bed.file.history


async def test_leaving_needs_a_swarm(bed: Bed) -> None:
    with pytest.raises(NotInSwarm):
        await leave(bed.env, force=True)


async def test_a_worker_leaves_and_nothing_stays(bed: Bed) -> None:
    bed.joining_as(NodeRole.WORKER)
    await join(bed.env, JOIN)

    await leave(bed.env, force=False)

    assert Standing() == bed.standing
    assert bed.file.state is None
    assert ["self"] == bed.removed


async def test_a_manager_leaves_by_force_only_and_says_what_would_be_lost(bed: Bed) -> None:
    await init(bed.env, SwarmInitRequest())
    bed.manager.answers[LEAVE] = FakeAnswer(503, b'{"message":"the last one"}')

    with pytest.raises(Refused, match="the last one") as caught:
        await leave(bed.env, force=False)
    assert 503 == caught.value.http
    assert ManagerPhase.SERVING is bed.standing.manager

    await leave(bed.env, force=True)
    assert Standing() == bed.standing


async def test_a_manager_that_does_not_serve_leaves_by_force_only(bed: Bed) -> None:
    await init(bed.env, SwarmInitRequest())
    bed.launcher.launched[0][1].end(1)
    assert bed.membership.node is not None
    await bed.membership.node.changed(lambda standing: standing.manager is ManagerPhase.STARTING)

    with pytest.raises(CutOffManagerLeaves):
        await leave(bed.env, force=False)


async def locked(bed: Bed) -> None:
    """Let the node be a manager that waits for its key after a restart."""
    bed.launcher.words = [Ready("self", locked=True)]
    bed.certificates.is_locked = True
    bed.file.has_log = True
    state = first_state(Addresses("0.0.0.0:2377", SELF, "", "10.0.0.9"))
    bed.membership.node = await bed.env.new_node(state)
    bed.membership.node.start(Resume())
    await bed.membership.node.ready()


async def test_a_locked_manager_is_unlocked_by_its_key(bed: Bed) -> None:
    await locked(bed)
    with pytest.raises(LeaveLocked):
        await leave(bed.env, force=False)

    await unlock(bed.env, SwarmUnlockRequest("right"))

    assert ManagerPhase.SERVING is bed.standing.manager
    assert b'{"UnlockKey":"right"}' == bed.manager.asked[-1].body


async def test_a_wrong_key_leaves_it_locked(bed: Bed) -> None:
    await locked(bed)
    bed.manager.answers[UNLOCK] = FakeAnswer(401, b'{"message":"invalid key"}')

    with pytest.raises(Refused, match="invalid key"):
        await unlock(bed.env, SwarmUnlockRequest("wrong"))

    assert ManagerPhase.LOCKED is bed.standing.manager


async def test_there_must_be_something_to_unlock(bed: Bed) -> None:
    with pytest.raises(NotManager):
        await unlock(bed.env, SwarmUnlockRequest("right"))

    await init(bed.env, SwarmInitRequest())
    with pytest.raises(SwarmNotLocked):
        await unlock(bed.env, SwarmUnlockRequest("right"))


async def test_info_tells_the_place_and_what_the_manager_knows(bed: Bed) -> None:
    view = SwarmView(bed.membership, bed.manager)
    assert ("inactive", SwarmInfo()) == (view.ping_state(), await view.info())

    await init(bed.env, SwarmInitRequest())
    bed.manager.answers[b"GET", b"/info"] = FakeAnswer(200, b'{"Nodes":3,"Managers":1}')
    found = await view.info()

    assert "active/manager" == view.ping_state()
    assert ("self", "10.0.0.9", "active", True) == (
        found.NodeID,
        found.NodeAddr,
        found.LocalNodeState,
        found.ControlAvailable,
    )
    assert (3, 1) == (found.Nodes, found.Managers)


async def test_info_shows_why_a_manager_cannot_tell(bed: Bed) -> None:
    """`docker info` must answer without a quorum: it is where people look first."""
    await init(bed.env, SwarmInitRequest())
    bed.manager.answers[b"GET", b"/info"] = FakeAnswer(500, b'{"message":"no leader"}')

    found = await SwarmView(bed.membership, bed.manager).info()

    assert ("active", "no leader") == (found.LocalNodeState, found.Error)


async def test_info_shows_what_keeps_the_manager_from_serving(bed: Bed) -> None:
    await init(bed.env, SwarmInitRequest())
    bed.manager.answers[b"GET", b"/info"] = FakeAnswer(200, b'{"Nodes":3}')
    bed.manager.answers[b"GET", b"/health/ready"] = FakeAnswer(503, b'{"message":"no leader"}')

    found = await SwarmView(bed.membership, bed.manager).info()

    assert (3, "no leader") == (found.Nodes, found.Error)
