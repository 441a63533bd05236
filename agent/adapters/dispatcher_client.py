"""The dispatcher over gRPC."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any

import grpc.aio

from agent.adapters.assignments_wire import piece_from_wire, to_wire
from agent.adapters.overlay_wire import news_from_wire, place_from_wire
from agent.core.assignments import Piece
from agent.core.overlay_news import OverlayNews, Place
from agent.ports.dispatcher import (
    Dispatcher,
    Elsewhere,
    LogOrder,
    LogPiece,
    News,
    Registration,
)
from api.errors import SkepError, Unavailable
from api.types.nodes import NodeAvailability, NodeRole
from api.types.tasks import TaskStatus
from protos.errors import raised_here
from protos.identity.channels import Credentials, open_channel
from protos.identity.refusal import refusal
from protos.log_options import from_wire, positions_from_wire, positions_to_wire
from protos.skep.v1 import dispatcher_pb2 as wire
from protos.skep.v1 import overlay_pb2 as overlay_wire
from protos.skep.v1.dispatcher_pb2_grpc import DispatcherStub
from protos.skep.v1.logs_pb2 import LogsListenRequest, LogsPosition, LogsPublishRequest
from protos.skep.v1.logs_pb2_grpc import LogsStub
from protos.skep.v1.overlay_pb2_grpc import OverlayStub

_UPDATE_TIMEOUT_S = 10.0
_ATTACH_TIMEOUT_S = 15.0
_ROLES = {wire.NODE_ROLE_WORKER: NodeRole.WORKER, wire.NODE_ROLE_MANAGER: NodeRole.MANAGER}
_AVAILABILITIES = {
    wire.NODE_AVAILABILITY_PAUSE: NodeAvailability.PAUSE,
    wire.NODE_AVAILABILITY_DRAIN: NodeAvailability.DRAIN,
}


class GrpcDispatchers:
    """Fulfils `Dispatchers`."""

    def connect(self, address: str, credentials: Credentials) -> Dispatcher:
        """Return the dispatcher at host:port."""
        return _GrpcDispatcher(
            open_channel(address, credentials), partial(refusal, address, credentials)
        )


class _GrpcDispatcher:
    """Fulfils `Dispatcher` on a channel of its own."""

    def __init__(
        self, channel: grpc.aio.Channel, why: Callable[[], Awaitable[SkepError | None]]
    ) -> None:
        self._channel = channel
        self._why = why
        self._stub = DispatcherStub(channel)

    async def session(self, registration: Registration) -> AsyncIterator[News | Elsewhere]:
        """Register, and yield what the managers tell.

        Where certificates keep the two apart the error says which, and what to do.
        """
        request = wire.SessionRequest(
            description=to_wire(registration.description),
            previous_session_id=registration.previous_session_id,
            address=registration.address,
            manager_address=registration.manager_address,
            data_path_address=registration.data_path_address,
        )
        call = self._stub.Session(request)
        try:
            with raised_here():
                async for message in call:
                    yield _from_wire(message)
        except Unavailable as error:
            raise await self._why() or error from error
        finally:
            call.cancel()

    async def heartbeat(self, session_id: str, timeout_s: float) -> float:
        """Say that the node is alive."""
        with raised_here():
            answer = await self._stub.Heartbeat(
                wire.HeartbeatRequest(session_id=session_id), timeout=timeout_s
            )
        return float(answer.period_ms / 1000)

    async def pause(self, session_id: str, timeout_s: float) -> None:
        """Say that this agent ends and will be back."""
        with raised_here():
            await self._stub.Pause(wire.PauseRequest(session_id=session_id), timeout=timeout_s)

    async def assignments(self, session_id: str) -> AsyncIterator[Piece]:
        """Yield what the node has to do."""
        call = self._stub.Assignments(wire.AssignmentsRequest(session_id=session_id))
        try:
            with raised_here():
                async for message in call:
                    yield piece_from_wire(message)
        finally:
            call.cancel()

    async def overlays(self, session_id: str) -> AsyncIterator[OverlayNews]:
        """Yield what is on the node's overlay networks."""
        request = overlay_wire.OverlayRequest(session_id=session_id, takes_targets=True)
        call = OverlayStub(self._channel).Watch(request)
        try:
            with raised_here():
                async for message in call:
                    yield news_from_wire(message)
        finally:
            call.cancel()

    async def confirm_overlays(self, session_id: str, sequence: int) -> None:
        """Say that news of networks are in the node's tables."""
        request = overlay_wire.ConfirmRequest(session_id=session_id, sequence=sequence)
        with raised_here():
            await OverlayStub(self._channel).Confirm(request, timeout=_UPDATE_TIMEOUT_S)

    async def settle_overlays(self, session_id: str, limit_s: float) -> bool:
        """Return when all nodes have what the managers know by now."""
        request = overlay_wire.SettledRequest(session_id=session_id, limit_ms=round(limit_s * 1000))
        with raised_here():
            answer = await OverlayStub(self._channel).Settled(request, timeout=limit_s + 1)
        return bool(answer.settled)

    async def attach(
        self,
        session_id: str,
        container_id: str,
        network: str,
        names: Sequence[str],
        addresses: Sequence[str],
    ) -> Place:
        """Return the place of a container on a network."""
        request = overlay_wire.AttachRequest(
            session_id=session_id,
            container_id=container_id,
            network=network,
            names=names,
            addresses=addresses,
        )
        with raised_here():
            answer = await OverlayStub(self._channel).Attach(request, timeout=_ATTACH_TIMEOUT_S)
        return place_from_wire(answer)

    async def keep_attachments(self, session_id: str, kept: Collection[tuple[str, str]]) -> None:
        """Give up all places of containers but these."""
        request = overlay_wire.KeepRequest(
            session_id=session_id,
            attachments=[
                overlay_wire.Attachment(container_id=container_id, network_id=network_id)
                for container_id, network_id in kept
            ],
        )
        with raised_here():
            await OverlayStub(self._channel).Keep(request, timeout=_UPDATE_TIMEOUT_S)

    async def renew_keys(self, session_id: str) -> None:
        """Have the keys of encrypted networks change."""
        request = overlay_wire.RenewKeysRequest(session_id=session_id)
        with raised_here():
            await OverlayStub(self._channel).RenewKeys(request, timeout=_UPDATE_TIMEOUT_S)

    async def update_task_status(self, session_id: str, updates: Mapping[str, TaskStatus]) -> None:
        """Tell what was seen of tasks."""
        request = wire.UpdateTaskStatusRequest(
            session_id=session_id,
            updates=[
                wire.TaskStatusUpdate(task_id=task_id, status=to_wire(status))
                for task_id, status in updates.items()
            ],
        )
        with raised_here():
            await self._stub.UpdateTaskStatus(request, timeout=_UPDATE_TIMEOUT_S)

    async def log_orders(self, session_id: str) -> AsyncIterator[LogOrder]:
        """Yield whose logs are asked for."""
        call = LogsStub(self._channel).Listen(LogsListenRequest(session_id=session_id))
        try:
            with raised_here():
                async for order in call:
                    yield LogOrder(
                        order.reading_id,
                        from_wire(order.options),
                        tuple(order.task_ids),
                        order.close,
                        positions_from_wire(order.positions),
                    )
        finally:
            call.cancel()

    async def publish_logs(
        self, session_id: str, reading_id: str, pieces: AsyncIterator[LogPiece]
    ) -> None:
        """Send what a reading asked for."""
        call = LogsStub(self._channel).Publish()
        try:
            with raised_here():
                await _write_all(call, session_id, reading_id, pieces)
                await call
        finally:
            call.cancel()

    async def close(self) -> None:
        """Hang up."""
        await self._channel.close(None)


async def _write_all(
    call: Any, session_id: str, reading_id: str, pieces: AsyncIterator[LogPiece]
) -> None:
    # The first message says what the stream is for, whatever else there is to say.
    await call.write(LogsPublishRequest(reading_id=reading_id, session_id=session_id))
    async for piece in pieces:
        await call.write(
            LogsPublishRequest(
                reading_id=reading_id,
                session_id=session_id,
                data=piece.data,
                problem=piece.problem,
                position=_position_to_wire(piece),
            )
        )
    await call.done_writing()


def _position_to_wire(piece: LogPiece) -> LogsPosition | None:
    if piece.position is None:
        return None
    return positions_to_wire({piece.task_id: piece.position})[0]


def _from_wire(message: wire.SessionMessage) -> News | Elsewhere:
    if message.HasField("leader"):
        return Elsewhere(message.leader.node_id, message.leader.address)
    return News(
        session_id=message.session_id,
        heartbeat_s=message.heartbeat_period_ms / 1000,
        managers=tuple((each.node_id, each.address) for each in message.managers),
        role=_ROLES.get(message.role, NodeRole.WORKER),
        availability=_AVAILABILITIES.get(message.availability, NodeAvailability.ACTIVE),
        roots=message.root_certificates,
        renew_certificate=message.renew_certificate,
    )
