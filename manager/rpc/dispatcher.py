"""What agents call: to register their node, to hear what it must know, to say that it lives."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar
from urllib.parse import unquote

import grpc.aio
import msgspec

from api.errors import InvalidArgument, Unsupported
from api.swarm_errors import NoLeader
from api.types.nodes import NodeAvailability as Availability
from api.types.nodes import NodeDescription
from api.types.nodes import NodeRole as Role
from manager.core.dispatcher.arrival import Arrival
from manager.core.dispatcher.notice import Notice, Peer
from manager.loops.agent_sessions import AgentSessions
from manager.loops.dispatch import DispatchLoop
from manager.ports.outcomes import NotLeader
from manager.rpc.assignments_wire import change_to_wire, status_from_wire
from manager.rpc.guard import caller
from protos.skep.v1.dispatcher_pb2 import (
    ApiValue,
    AssignmentsMessage,
    AssignmentsRequest,
    HeartbeatRequest,
    HeartbeatResponse,
    Manager,
    NodeAvailability,
    NodeRole,
    PauseRequest,
    PauseResponse,
    SessionMessage,
    SessionRequest,
    UpdateTaskStatusRequest,
    UpdateTaskStatusResponse,
)
from protos.skep.v1.dispatcher_pb2_grpc import DispatcherServicer

T = TypeVar("T")
Context = grpc.aio.ServicerContext[Any, Any]

DESCRIPTION_VERSION = 1

_ROLES = {Role.WORKER: NodeRole.NODE_ROLE_WORKER, Role.MANAGER: NodeRole.NODE_ROLE_MANAGER}
_AVAILABILITIES = {
    Availability.ACTIVE: NodeAvailability.NODE_AVAILABILITY_ACTIVE,
    Availability.PAUSE: NodeAvailability.NODE_AVAILABILITY_PAUSE,
    Availability.DRAIN: NodeAvailability.NODE_AVAILABILITY_DRAIN,
}


class Dispatcher(DispatcherServicer):
    """Serves agents while this manager leads; sends them to the leader otherwise.

    sessions: those of the present term of leadership; None while another manager leads.
    tasks:    as sessions.
    leader:   where the leader is, None while nobody knows.
    """

    def __init__(
        self,
        sessions: Callable[[], AgentSessions | None],
        tasks: Callable[[], DispatchLoop | None],
        leader: Callable[[], Peer | None],
    ) -> None:
        self._sessions = sessions
        self._tasks = tasks
        self._leader = leader

    async def Session(
        self, request: SessionRequest, context: Context
    ) -> AsyncIterator[SessionMessage]:
        """Register the caller's node, and tell it what it must know until the session ends."""
        sessions = self._sessions()
        if sessions is None:
            yield SessionMessage(leader=self._elsewhere())
            return
        node_id = caller().node_id
        arrival = Arrival(
            description=_decode(request.description, NodeDescription),
            address=request.address or _host_of(context.peer()),
            data_path_address=request.data_path_address,
        )
        session_id = await sessions.register(node_id, arrival)
        try:
            async for notice in sessions.notices(node_id, session_id):
                yield _to_wire(notice, session_id, sessions.period_s)
        finally:
            sessions.lose(node_id, session_id)

    async def Heartbeat(self, request: HeartbeatRequest, context: Context) -> HeartbeatResponse:
        """Note that the caller's node lives. Errors: NoSession, NotLeader."""
        sessions = self._sessions()
        if sessions is None:
            raise NotLeader
        period_s = sessions.beat(caller().node_id, request.session_id)
        return HeartbeatResponse(period_ms=round(period_s * 1000))

    async def Pause(self, request: PauseRequest, context: Context) -> PauseResponse:
        """Note that the caller's agent ends, and will be back.

        Errors:  NoSession, NotLeader, NotDone, OutcomeUnknown.
        """
        sessions = self._sessions()
        if sessions is None:
            raise NotLeader
        await sessions.pause(caller().node_id, request.session_id)
        return PauseResponse()

    async def Assignments(
        self, request: AssignmentsRequest, context: Context
    ) -> AsyncIterator[AssignmentsMessage]:
        """Tell the caller's node what it has to do, all of it, then what changes.

        Errors:  NoSession, NotLeader.
        """
        tasks = self._led()
        async for change, is_complete in tasks.assignments(caller().node_id, request.session_id):
            for message in change_to_wire(change, is_complete=is_complete):
                yield message

    async def UpdateTaskStatus(
        self, request: UpdateTaskStatusRequest, context: Context
    ) -> UpdateTaskStatusResponse:
        """Keep what the caller's node saw of its tasks.

        Errors:  NoSession, NotLeader; NotSeen, ForeignTask.
        """
        reports = [(each.task_id, status_from_wire(each.status)) for each in request.updates]
        await self._led().report(caller().node_id, request.session_id, reports)
        return UpdateTaskStatusResponse()

    def _led(self) -> DispatchLoop:
        tasks = self._tasks()
        if tasks is None:
            raise NotLeader
        return tasks

    def _elsewhere(self) -> Manager:
        leader = self._leader()
        if leader is None:
            raise NoLeader
        return _manager_to_wire(leader)


def _to_wire(notice: Notice, session_id: str, period_s: float) -> SessionMessage:
    common = notice.common
    return SessionMessage(
        session_id=session_id,
        heartbeat_period_ms=round(period_s * 1000),
        managers=[_manager_to_wire(peer) for peer in common.managers],
        role=_ROLES[notice.role],
        root_certificates=common.roots.encode(),
        renew_certificate=notice.renew,
        availability=_AVAILABILITIES[Availability(notice.availability)],
    )


def _manager_to_wire(peer: Peer) -> Manager:
    return Manager(node_id=peer.node_id, address=peer.address, weight=peer.weight)


def _decode(value: ApiValue, kind: type[T]) -> T:
    if value.version > DESCRIPTION_VERSION:
        raise Unsupported(
            f"the node describes itself in version {value.version}; this manager reads up to "
            f"{DESCRIPTION_VERSION}: upgrade the managers first"
        )
    try:
        return msgspec.msgpack.decode(value.msgpack, type=kind)
    except msgspec.MsgspecError as error:
        raise InvalidArgument(f"invalid description of a node: {error}") from error


def _host_of(peer: str) -> str:
    """Return the address in gRPC's name of a peer: `ipv4:10.0.0.1:4711`, `ipv6:%5B::1%5D:4711`."""
    _, _, rest = unquote(peer).partition(":")
    host, _, _ = rest.rpartition(":")
    return host.strip("[]")
