"""What a thief of a worker's certificate gets by it: that node's own part, and nothing of others'.

Real gRPC with the real guard; the nodes besides the thief's only pretend.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import TypeVar

import grpc.aio
import pytest
import pytest_asyncio

from agent.adapters.dispatcher_client import GrpcDispatchers
from agent.ports.dispatcher import Dispatcher, LogPiece, News, Registration
from api.errors import Forbidden, Internal, InvalidArgument
from api.types.assignments import AssignedTask
from api.types.container_spec import ContainerSpec
from api.types.logs import LogOptions
from api.types.nodes import NodeDescription, NodeRole
from api.types.secrets import FileTarget, SecretReference, SecretSpec
from api.types.services import ServiceSpec
from api.types.tasks import Placement, TaskSpec, TaskState, TaskStatus
from manager.adapters.tls import ServerTLS
from manager.cluster.contents import create_contents
from manager.cluster.secrets import SECRET
from manager.core.logs.selection import Selection
from manager.core.objects.task import Task
from manager.loops.agent_sessions import NoSession
from manager.loops.log_broker import LogBroker, LogOrder, NobodyReads
from manager.loops.network_keys import NetworkKeyLoop
from manager.loops.overlays import OverlayLoop
from manager.rpc.dispatcher import Dispatcher as DispatcherService
from manager.rpc.guard import Guard
from manager.rpc.logs import Logs
from manager.rpc.overlay import Overlays
from protos.identity.certificates import Identity, Role
from protos.identity.channels import SERVER_OPTIONS
from protos.identity.trust import Trust
from protos.skep.v1.dispatcher_pb2_grpc import add_DispatcherServicer_to_server
from protos.skep.v1.logs_pb2_grpc import add_LogsServicer_to_server
from protos.skep.v1.overlay_pb2_grpc import add_OverlayServicer_to_server
from tests.authority import Authority
from tests.fakes.members import FakeMembers
from tests.fakes.service_cluster import ServiceCluster, service_cluster

SECRET_DATA = b"correct horse battery staple"
CLUSTER = "cluster1"
T = TypeVar("T")


@dataclass
class Bed:
    """A cluster whose node w1 keeps a secret, and what whoever stole w2's certificate can call."""

    cluster: ServiceCluster
    members: FakeMembers
    broker: LogBroker
    task: Task
    thief: Dispatcher

    @property
    def victims_session(self) -> str:
        """The session of w1."""
        return self.cluster.agents["w1"].session_id

    async def register(self) -> str:
        """Begin a session of w2 and return its id."""
        said = Registration(description=NodeDescription(Hostname="host-w1"))
        first = await anext(self.thief.session(said))
        assert isinstance(first, News)
        assert NodeRole.WORKER is first.role
        return first.session_id


@pytest_asyncio.fixture
async def bed() -> AsyncIterator[Bed]:
    """Lend the cluster, its manager served on a port."""
    async with AsyncExitStack() as stack:
        cluster = await stack.enter_async_context(service_cluster(workers=2))
        service_id = await _serve_secret(cluster)
        await cluster.settle(lambda: len(cluster.running(service_id)) == 1)
        authority, members = Authority(), FakeMembers()
        root = authority.certificate
        broker = LogBroker(cluster.store, cluster.clock, cluster.sessions)
        guard = Guard(CLUSTER, members, Trust((root,)))
        server = grpc.aio.server(interceptors=[guard], options=SERVER_OPTIONS)
        _add_services(server, cluster, broker)
        shown = authority.issue(Identity("m1", Role.MANAGER, CLUSTER)).credentials(root)
        tls = ServerTLS(shown, Trust((root,))).credentials()
        address = f"127.0.0.1:{server.add_secure_port('127.0.0.1:0', tls)}"
        await server.start()
        stack.push_async_callback(server.stop, None)
        stolen = authority.issue(Identity("w2", Role.WORKER, CLUSTER)).credentials(root)
        thief = GrpcDispatchers().connect(address, stolen)
        stack.push_async_callback(thief.close)
        yield Bed(cluster, members, broker, cluster.running(service_id)[0], thief)


async def _serve_secret(cluster: ServiceCluster) -> str:
    """Make a service on w1 that has the secret; return its id."""
    made = await create_contents(
        cluster.cluster.env, SECRET, SecretSpec(Name="pw", Data=SECRET_DATA)
    )
    reference = SecretReference(File=FileTarget(Name="pw"), SecretID=made.ID, SecretName="pw")
    task = TaskSpec(
        ContainerSpec=ContainerSpec(Image="busybox", Secrets=[reference]),
        Placement=Placement(Constraints=["node.id==w1"]),
    )
    return await cluster.create(ServiceSpec(Name="keeper", TaskTemplate=task))


def _add_services(server: grpc.aio.Server, cluster: ServiceCluster, broker: LogBroker) -> None:
    overlays = OverlayLoop(cluster.store, cluster.clock, cluster.sessions)
    add_DispatcherServicer_to_server(
        DispatcherService(lambda: cluster.sessions, lambda: cluster.dispatch, lambda: None), server
    )
    add_LogsServicer_to_server(Logs(lambda: broker), server)
    keys = NetworkKeyLoop(cluster.store, cluster.clock, lambda: 0, lambda: bytes(32))
    add_OverlayServicer_to_server(
        Overlays(lambda: overlays, lambda: keys, cluster.store, cluster.clock), server
    )


async def test_session_of_another_node_opens_nothing(bed: Bed) -> None:
    session = bed.victims_session
    thief = bed.thief
    calls: list[Awaitable[object]] = [
        thief.heartbeat(session, 5),
        _first(thief.assignments(session)),
        _first(thief.overlays(session)),
        _first(thief.log_orders(session)),
        thief.update_task_status(session, {bed.task.id: TaskStatus(State=TaskState.FAILED)}),
        thief.confirm_overlays(session, 1 << 40),
        thief.settle_overlays(session, 1.0),
        thief.attach(session, "container", "net", (), ()),
        thief.keep_attachments(session, ()),
        thief.renew_keys(session),
    ]

    for call in calls:
        with pytest.raises(NoSession):
            await call


async def test_assignments_are_the_own_nodes_alone(bed: Bed) -> None:
    """Nor does it help to call itself by the other's host name."""
    session = await bed.register()

    first = await _first(bed.thief.assignments(session))

    assert ([], True) == ([*first.items], first.is_complete)


async def test_tasks_of_other_nodes_cannot_be_reported_on(bed: Bed) -> None:
    session = await bed.register()

    for state in (TaskState.RUNNING, TaskState.FAILED, TaskState.SHUTDOWN):
        with pytest.raises(Forbidden, match="is not assigned to node w2"):
            await bed.thief.update_task_status(session, {bed.task.id: TaskStatus(State=state)})

    (task,) = bed.cluster.tasks(bed.task.service_id)
    assert bed.task == task


@pytest.mark.parametrize("state", [TaskState.ORPHANED, TaskState.REMOVE, TaskState.NEW])
async def test_states_that_no_node_sees_are_refused(bed: Bed, state: TaskState) -> None:
    session = await bed.register()

    with pytest.raises(InvalidArgument, match="does not report the state"):
        await bed.thief.update_task_status(session, {bed.task.id: TaskStatus(State=state)})


async def test_words_without_end_are_refused(bed: Bed) -> None:
    """They would be kept by all managers."""
    session = await bed.register()
    words = TaskStatus(State=TaskState.FAILED, Err="x" * (1 << 19))

    with pytest.raises(InvalidArgument, match="262144 at most"):
        await bed.thief.update_task_status(session, {"t": words})


async def test_logs_that_others_are_asked_for_cannot_be_forged(bed: Bed) -> None:
    listener = asyncio.create_task(_orders(bed))
    selection = Selection(service_ids=frozenset({bed.task.service_id}))
    reading = bed.broker.read(selection, LogOptions(follow=True))
    reader = asyncio.ensure_future(anext(reading))
    order = await listener

    async def forged() -> AsyncIterator[LogPiece]:
        yield LogPiece(data=b"forged")

    # Where the refusal meets a write, gRPC tells of the write.
    with pytest.raises((NobodyReads, Internal)):
        await bed.thief.publish_logs("any", order.reading_id, forged())

    assert not reader.done()
    reader.cancel()
    with suppress(asyncio.CancelledError):
        await reader


async def test_stale_call_does_not_deafen_the_node_that_is_there(bed: Bed) -> None:
    """A call of a session that has ended, on its way while the next one began."""
    ended = await bed.register()
    session = await bed.register()
    stream = bed.thief.assignments(session)
    await anext(stream)

    with pytest.raises(NoSession):
        await _first(bed.thief.assignments(ended))

    await bed.cluster.create(
        ServiceSpec(
            Name="here",
            TaskTemplate=TaskSpec(
                ContainerSpec=ContainerSpec(Image="busybox"),
                Placement=Placement(Constraints=["node.id==w2"]),
            ),
        )
    )
    async with asyncio.timeout(10):
        heard = await anext(stream)
    assert ["here"] == [each.ServiceName for each in heard.items if isinstance(each, AssignedTask)]


async def test_removed_node_is_shown_the_door(bed: Bed) -> None:
    session = await bed.register()
    bed.members.removed.add("w2")

    with pytest.raises(Forbidden, match="was removed"):
        await bed.thief.heartbeat(session, 5)


async def _orders(bed: Bed) -> LogOrder:
    """Return the first order that w1 hears."""
    async for order in bed.broker.listen("w1", bed.victims_session):
        return order
    raise AssertionError


async def _first(stream: AsyncIterator[T]) -> T:
    async with asyncio.timeout(10):
        return await anext(stream)
