"""What waits for one member, and how it is poured into a stream."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, NoReturn, TypeVar

import grpc.aio

from manager.core.raft.messages import Message
from manager.rpc.raft_wire import size_of, to_wire
from protos.skep.v1.raft_pb2 import Greeting, StepRequest
from protos.skep.v1.raft_pb2_grpc import RaftStub

Request = TypeVar("Request")

_QUEUE_BYTES = 16 << 20
_QUEUE_MESSAGES = 4096
_REQUEST_BYTES = 1 << 20  # the message that reaches this may go past it by its own size
_WRITE_LIMIT_S = 3.0


class StreamEnded(Exception):
    """The other side ended the stream, or the member has moved."""


class Outbox:
    """A bounded queue of messages to one member."""

    def __init__(self, raft_id: int, address: str) -> None:
        self.raft_id = raft_id
        self.address = address
        self._messages: deque[Message] = deque()
        self._bytes = 0
        self._changed = asyncio.Event()

    def put(self, message: Message) -> bool:
        """Queue a message; False if there is no room."""
        size = size_of(message)
        if self._bytes + size > _QUEUE_BYTES or len(self._messages) >= _QUEUE_MESSAGES:
            return False
        self._bytes += size
        self._messages.append(message)
        self._changed.set()
        return True

    def take(self) -> list[Message]:
        """Return the messages of one request, in order; [] when nothing waits."""
        taken: list[Message] = []
        size = 0
        while self._messages and size < _REQUEST_BYTES:
            taken.append(self._messages.popleft())
            size += size_of(taken[-1])
        self._bytes -= size
        return taken

    def clear(self) -> None:
        """Drop what waits: it is old by the time that there is a connection again."""
        self._messages.clear()
        self._bytes = 0
        self._changed.clear()

    def move(self, address: str) -> None:
        """Reach the member elsewhere from now on."""
        self.address = address
        self._changed.set()

    def wake(self) -> None:
        """Make `filled` return."""
        self._changed.set()

    async def filled(self) -> None:
        """Return when there may be something to do."""
        await self._changed.wait()
        self._changed.clear()


async def pour(outbox: Outbox, stub: RaftStub, greeting: Greeting) -> NoReturn:
    """Send what comes into the outbox until the stream ends.

    Errors:  AioRpcError with the stream's status, StreamEnded, TimeoutError. What was taken out
             of the box by then is lost.
    """
    address = outbox.address
    call = stub.Step()
    call.add_done_callback(lambda _: outbox.wake())
    try:
        request = StepRequest(greeting=greeting)
        while True:
            if call.done():
                await call
                raise StreamEnded("the other side ended the stream")
            await write(call, request, _WRITE_LIMIT_S)
            while not (messages := outbox.take()) and not call.done():
                await outbox.filled()
                if outbox.address != address:
                    raise StreamEnded("the member has moved")
            request = StepRequest(messages=[to_wire(message) for message in messages])
    finally:
        call.cancel()


async def write(
    call: grpc.aio.StreamUnaryCall[Request, Any], request: Request, limit_s: float
) -> None:
    """Write one request to a stream.

    Errors:  AioRpcError with the status of a stream that has ended, and not with the library's
             word for a write to such a one; StreamEnded where it ended well, TimeoutError.
    """
    async with asyncio.timeout(limit_s):
        try:
            await call.write(request)
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError) as error:
            await call
            raise StreamEnded("the other side ended the stream") from error
