"""Consensus messages of other members."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from api.errors import Expired, InvalidArgument
from manager.consensus.inbound import Inbound
from manager.core.raft.messages import Message
from manager.rpc.guard import caller
from manager.rpc.raft_wire import from_wire
from protos.skep.v1.raft_pb2 import (
    Greeting,
    SnapshotChunk,
    SnapshotResponse,
    StepRequest,
    StepResponse,
)
from protos.skep.v1.raft_pb2_grpc import RaftServicer

_PIECE_LIMIT_S = 30.0


def calling_node() -> str:
    """Return the node id in the caller's certificate."""
    return caller().node_id


class RaftService(RaftServicer):
    """Hands messages to this manager's consensus."""

    def __init__(self, inbound: Inbound, node_id: Callable[[], str] = calling_node) -> None:
        self._inbound = inbound
        self._node_id = node_id

    async def Step(self, requests: AsyncIterator[StepRequest], context: Any) -> StepResponse:
        """Take in messages until the sender ends the stream."""
        sender = 0
        async for request in requests:
            if not sender:
                sender = self._greet(request.HasField("greeting"), request.greeting)
            elif request.messages:
                self._inbound.receive(sender, [from_wire(each) for each in request.messages])
        return StepResponse()

    async def SendSnapshot(
        self, chunks: AsyncIterator[SnapshotChunk], context: Any
    ) -> SnapshotResponse:
        """Take in a snapshot; answer when it is on disk."""
        first = await _next(chunks)
        if first is None or not first.HasField("message"):
            raise InvalidArgument("the first chunk of a snapshot must hold its message")
        sender = self._greet(first.HasField("greeting"), first.greeting)
        message: Message = from_wire(first.message)
        await self._inbound.receive_snapshot(sender, message, _pieces(chunks))
        return SnapshotResponse()

    def _greet(self, has_greeting: bool, greeting: Greeting) -> int:
        if not has_greeting or not greeting.sender:
            raise InvalidArgument("a stream of raft messages must begin with a greeting")
        self._inbound.greet(greeting.sender, greeting.receiver, greeting.address, self._node_id())
        return greeting.sender


async def _pieces(chunks: AsyncIterator[SnapshotChunk]) -> AsyncIterator[bytes]:
    """Yield the pieces. Errors: InvalidArgument when some are missing, Expired when none come."""
    count = 0
    while (chunk := await _next(chunks)) is not None:
        if chunk.pieces or not chunk.piece:
            if chunk.pieces != count:
                raise InvalidArgument(f"{chunk.pieces} pieces were sent, {count} arrived")
            return
        yield chunk.piece
        count += 1
    raise InvalidArgument("the stream of a snapshot ended early")


async def _next(chunks: AsyncIterator[SnapshotChunk]) -> SnapshotChunk | None:
    try:
        async with asyncio.timeout(_PIECE_LIMIT_S):
            return await anext(chunks, None)
    except TimeoutError as error:
        raise Expired("the pieces of a snapshot stopped coming") from error
