"""Messages to the other members over gRPC: one stream to each, snapshots beside it."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping

import grpc.aio
import structlog

from manager.adapters.raft_stream import Outbox, StreamEnded, pour, write
from manager.core.backoff import Backoff
from manager.core.raft.messages import Message
from manager.ports.peers import MemberRemoved, PeerEvents, SnapshotNotSent
from manager.rpc.raft_wire import to_wire
from protos.errors import from_status
from protos.skep.v1.raft_pb2 import Greeting, SnapshotChunk
from protos.skep.v1.raft_pb2_grpc import RaftStub

log = structlog.get_logger(__name__)

OpenChannel = Callable[[str], grpc.aio.Channel]

_BACKOFF = Backoff(first_s=0.05, limit_s=1.0)
_LASTING_S = 2.0
_PIECE_LIMIT_S = 15.0
_STORE_LIMIT_S = 60.0


class GrpcPeers:
    """Fulfils `Peers`. Each connection is opened with the credentials of that moment."""

    def __init__(self, raft_id: int, address: str, open_channel: OpenChannel) -> None:
        self._raft_id = raft_id
        self._address = address
        self._open_channel = open_channel
        self._outboxes: dict[int, Outbox] = {}
        self._carriers: dict[int, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._events: PeerEvents | None = None

    def update(self, addresses: Mapping[int, str]) -> None:
        """Know these members and no others."""
        for raft_id in set(self._outboxes) - set(addresses):
            del self._outboxes[raft_id]
            if carrier := self._carriers.pop(raft_id, None):
                carrier.cancel()
        for raft_id, address in addresses.items():
            self.hint(raft_id, address)

    def hint(self, raft_id: int, address: str) -> None:
        """Know a member, or reach it at another address."""
        if raft_id == self._raft_id:
            return
        outbox = self._outboxes.get(raft_id)
        if outbox is None:
            outbox = self._outboxes[raft_id] = Outbox(raft_id, address)
            self._start(outbox)
        elif outbox.address != address:
            outbox.move(address)

    def send(self, message: Message) -> None:
        """Queue a message; to somebody unknown it is lost."""
        outbox = self._outboxes.get(message.to)
        if (outbox is None or not outbox.put(message)) and self._events:
            self._events.on_unreachable(message.to)

    async def send_snapshot(self, message: Message, pieces: AsyncIterator[bytes]) -> None:
        """Stream a snapshot over a connection of its own."""
        outbox = self._outboxes.get(message.to)
        if outbox is None:
            raise SnapshotNotSent(f"raft member {message.to} has no address")
        channel = self._open_channel(outbox.address)
        try:
            await self._pour_snapshot(RaftStub(channel), message, pieces)
        except grpc.aio.AioRpcError as error:
            raise SnapshotNotSent(from_status(error).message) from error
        except (TimeoutError, StreamEnded) as error:
            raise SnapshotNotSent(f"raft member {message.to} takes too long") from error
        finally:
            await channel.close(None)

    async def run(self, events: PeerEvents) -> None:
        """Carry messages until cancelled."""
        self._events = events
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                for outbox in self._outboxes.values():
                    self._start(outbox)
                await asyncio.Event().wait()
        finally:
            self._group = None

    def _start(self, outbox: Outbox) -> None:
        if self._group is not None:
            carrier = self._carry(outbox)
            name = f"raft.peer.{outbox.raft_id:x}"
            self._carriers[outbox.raft_id] = self._group.create_task(carrier, name=name)

    async def _carry(self, outbox: Outbox) -> None:
        """Keep a stream to one member as long as there is something to say.

        The first thing is the greeting, with the address of this one: a learner that came back
        at another says nothing else, and nobody would find it.
        """
        failures, is_greeted = 0, False
        while True:
            if is_greeted:
                await outbox.filled()
            address, channel = outbox.address, self._open_channel(outbox.address)
            began_s = time.monotonic()
            try:
                await pour(outbox, RaftStub(channel), self._greeting(outbox.raft_id))
            except (grpc.aio.AioRpcError, StreamEnded, TimeoutError) as error:
                # One that ends at once is no better than none: it may have been refused.
                has_lasted = time.monotonic() - began_s > _LASTING_S
                is_greeted = is_greeted or has_lasted
                failures = 1 if has_lasted else failures + 1
                self._lost(outbox, address, error, failures)
            finally:
                await channel.close(None)
            await asyncio.sleep(_BACKOFF.delay_s(failures, random.random()))  # noqa: S311 - no secret

    def _lost(self, outbox: Outbox, address: str, error: Exception, failures: int) -> None:
        cause = from_status(error) if isinstance(error, grpc.aio.AioRpcError) else error
        if failures == 1:
            log.info("raft.peer_lost", peer=outbox.raft_id, address=address, reason=str(cause))
        outbox.clear()
        assert self._events is not None
        self._events.on_unreachable(outbox.raft_id)
        if isinstance(cause, MemberRemoved):
            self._events.on_removed()

    async def _pour_snapshot(
        self, stub: RaftStub, message: Message, pieces: AsyncIterator[bytes]
    ) -> None:
        call = stub.SendSnapshot()
        try:
            greeting = self._greeting(message.to)
            first = SnapshotChunk(greeting=greeting, message=to_wire(message))
            await write(call, first, _PIECE_LIMIT_S)
            count = 0
            async for piece in pieces:
                await write(call, SnapshotChunk(piece=piece), _PIECE_LIMIT_S)
                count += 1
            await write(call, SnapshotChunk(pieces=count), _PIECE_LIMIT_S)
            await call.done_writing()
            async with asyncio.timeout(_STORE_LIMIT_S):
                await call
        finally:
            call.cancel()

    def _greeting(self, receiver: int) -> Greeting:
        return Greeting(sender=self._raft_id, receiver=receiver, address=self._address)
