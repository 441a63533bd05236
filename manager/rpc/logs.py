"""Logs of tasks: what nodes hear and send, and what other managers read here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc.aio

from api.types.logs import LogPosition
from manager.core.logs.selection import Selection
from manager.loops.log_broker import LogBroker, LogOrder, LogPiece
from manager.ports.outcomes import NotLeader
from manager.rpc.guard import caller
from protos.log_options import (
    from_wire,
    positions_from_wire,
    positions_to_wire,
    to_wire,
)
from protos.skep.v1.logs_pb2 import (
    LogsListenRequest,
    LogsOrder,
    LogsPiece,
    LogsPublishRequest,
    LogsPublishResponse,
    LogsRequest,
)
from protos.skep.v1.logs_pb2_grpc import LogsServicer

# More than a reading holds: so what is read comes whole, and with it how far that is.
_PIECE_BYTES = 2 << 20

Context = grpc.aio.ServicerContext[Any, Any]


class Logs(LogsServicer):
    """Serves while this manager leads; broker is None otherwise."""

    def __init__(self, broker: Callable[[], LogBroker | None]) -> None:
        self._broker = broker

    async def Read(self, request: LogsRequest, context: Context) -> AsyncIterator[LogsPiece]:
        """Send the logs that are asked for. Errors: NotLeader."""
        selection = Selection(frozenset(request.service_ids), frozenset(request.task_ids))
        known = positions_from_wire(request.positions)
        reading = self._led().read(selection, from_wire(request.options), known)
        async for passage in reading:
            data, moved = passage.data, positions_to_wire(passage.positions)
            for start in range(0, len(data), _PIECE_BYTES):
                is_last = start + _PIECE_BYTES >= len(data)
                piece = data[start : start + _PIECE_BYTES]
                yield LogsPiece(data=piece, positions=moved if is_last else [])

    async def Listen(
        self, request: LogsListenRequest, context: Context
    ) -> AsyncIterator[LogsOrder]:
        """Tell the caller's node whose logs are asked for. Errors: NoSession, NotLeader."""
        async for order in self._led().listen(caller().node_id, request.session_id):
            yield _to_wire(order)

    async def Publish(
        self, requests: AsyncIterator[LogsPublishRequest], context: Context
    ) -> LogsPublishResponse:
        """Take what the caller's node sends for one reading. Errors: NobodyReads, NotLeader."""
        await self._led().take_sent(caller().node_id, _pieces(requests))
        return LogsPublishResponse()

    def _led(self) -> LogBroker:
        broker = self._broker()
        if broker is None:
            raise NotLeader
        return broker


def _to_wire(order: LogOrder) -> LogsOrder:
    return LogsOrder(
        reading_id=order.reading_id,
        options=to_wire(order.options),
        task_ids=order.task_ids,
        close=order.is_close,
        positions=positions_to_wire(order.positions),
    )


async def _pieces(requests: AsyncIterator[LogsPublishRequest]) -> AsyncIterator[LogPiece]:
    async for each in requests:
        position = None
        if each.HasField("position"):
            position = LogPosition(each.position.moment_ns, each.position.count)
        yield LogPiece(
            each.reading_id,
            each.session_id,
            each.data,
            each.problem,
            each.position.task_id,
            position,
        )
