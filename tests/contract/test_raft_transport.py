"""Messages between members over real gRPC: in order or told as lost, and nobody ever waits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import grpc.aio
import pytest
import pytest_asyncio

from api.errors import InvalidArgument
from manager.adapters.raft_stream import Outbox
from manager.adapters.raft_transport import GrpcPeers
from manager.core.raft.messages import Entry, Message, MessageKind, Snapshot, SnapshotMeta
from manager.ports.peers import MemberRemoved, SnapshotNotSent
from manager.rpc.raft import RaftService
from protos.errors import code_of, details_of, metadata_of
from protos.skep.v1.raft_pb2_grpc import add_RaftServicer_to_server


class Receiver:
    """A member that notes what it gets; it may refuse, or stop reading."""

    def __init__(self) -> None:
        self.got: list[Message] = []
        self.greetings: list[tuple[int, int, str]] = []
        self.pieces: list[bytes] = []
        self.refuses: Exception | None = None
        self.streams = 0

    def greet(self, sender: int, receiver: int, address: str, _node_id: str) -> None:
        self.greetings.append((sender, receiver, address))
        if self.refuses:
            raise self.refuses

    def receive(self, _sender: int, messages: Sequence[Message]) -> None:
        self.got += messages

    async def receive_snapshot(
        self, _sender: int, message: Message, pieces: AsyncIterator[bytes]
    ) -> None:
        self.pieces = [piece async for piece in pieces]
        self.got.append(message)


class Service(RaftService):
    """The servicer, with errors sent as the guard sends them."""

    async def Step(self, requests: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        return await self._sending(super().Step(requests, context), context)

    async def SendSnapshot(self, chunks: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        return await self._sending(super().SendSnapshot(chunks, context), context)

    async def _sending(self, call: Any, context: Any) -> Any:
        try:
            return await call
        except (MemberRemoved, InvalidArgument) as error:
            await context.abort(code_of(error), details_of(error), metadata_of(error))


@asynccontextmanager
async def served(receiver: Receiver, port: int = 0) -> AsyncIterator[int]:
    """Serve a receiver; lend its port."""
    server = grpc.aio.server()
    service = Service(receiver, node_id=lambda: "")  # type: ignore[arg-type]  # it is used as an Inbound
    add_RaftServicer_to_server(service, server)
    found = server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    try:
        yield found
    finally:
        await server.stop(None)


class Events:
    """Notes what the transport tells."""

    def __init__(self) -> None:
        self.unreachable: list[int] = []
        self.is_removed = False

    def on_unreachable(self, raft_id: int) -> None:
        self.unreachable.append(raft_id)

    def on_removed(self) -> None:
        self.is_removed = True


class Sender:
    """A transport that runs."""

    def __init__(self) -> None:
        self.peers = GrpcPeers(1, "here:1", grpc.aio.insecure_channel)
        self.events = Events()

    def send(self, index: int, size: int = 0) -> None:
        entry = Entry(data=bytes(size))
        self.peers.send(
            Message(kind=MessageKind.APPEND, to=2, sender=1, index=index, entries=(entry,))
        )


@pytest_asyncio.fixture
async def sender() -> AsyncIterator[Sender]:
    """Lend a running transport of member 1."""
    made = Sender()
    running = asyncio.create_task(made.peers.run(made.events))
    await asyncio.sleep(0)
    yield made
    running.cancel()
    await asyncio.wait([running])


async def until(condition: Any, what: str) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        await asyncio.sleep(0.005)


async def test_messages_arrive_in_order_after_a_greeting(sender: Sender) -> None:
    receiver = Receiver()
    async with served(receiver) as port:
        sender.peers.update({1: "here:1", 2: f"127.0.0.1:{port}"})
        for index in range(3000):
            sender.send(index)
        await until(lambda: len(receiver.got) == 3000, "all messages")

    assert list(range(3000)) == [message.index for message in receiver.got]
    assert [(1, 2, "here:1")] == receiver.greetings


async def test_who_has_nothing_to_say_tells_where_it_is(sender: Sender) -> None:
    """Also to a member that comes up later: a learner that moved would not be found otherwise."""
    receiver = Receiver()
    async with served(receiver) as port:
        pass
    sender.peers.hint(2, f"127.0.0.1:{port}")
    await until(lambda: bool(sender.events.unreachable), "a first try")

    async with served(receiver, port):
        await until(lambda: bool(receiver.greetings), "the greeting")

    assert receiver.greetings[0] == (1, 2, "here:1")


async def test_large_messages_pass(sender: Sender) -> None:
    receiver = Receiver()
    async with served(receiver) as port:
        sender.peers.hint(2, f"127.0.0.1:{port}")
        for index in range(6):
            sender.send(index, size=1_500_000)
        await until(lambda: len(receiver.got) == 6, "all messages")


async def test_nobody_there_is_told_and_found_again_later(sender: Sender) -> None:
    receiver = Receiver()
    async with served(receiver) as port:
        pass
    sender.peers.hint(2, f"127.0.0.1:{port}")
    sender.send(1)
    await until(lambda: 2 in sender.events.unreachable, "the loss to be told")

    async with served(receiver, port):

        def arrives() -> bool:
            sender.send(2)
            return bool(receiver.got)

        await until(arrives, "a message")
    assert 2 == receiver.got[0].index, "what was lost is not sent late"


async def test_message_to_nobody_known_is_told(sender: Sender) -> None:
    sender.send(1)

    assert [2] == sender.events.unreachable


async def test_full_queue_is_told_and_nobody_waits(sender: Sender) -> None:
    """A member that does not read holds up nothing but itself."""
    silent = await asyncio.start_server(lambda *_: asyncio.sleep(3600), "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    sender.peers.hint(2, f"127.0.0.1:{port}")
    began = time.monotonic()
    for index in range(20):
        sender.send(index, size=1_500_000)

    assert time.monotonic() - began < 1
    assert sender.events.unreachable
    sender.events.unreachable.clear()
    await until(lambda: bool(sender.events.unreachable), "the stalled stream to be given up")
    silent.close()


async def test_member_that_moved_is_followed(sender: Sender) -> None:
    old, new = Receiver(), Receiver()
    async with served(old) as old_port, served(new) as new_port:
        sender.peers.hint(2, f"127.0.0.1:{old_port}")
        sender.send(1)
        await until(lambda: bool(old.got), "the first message")
        sender.peers.hint(2, f"127.0.0.1:{new_port}")

        def arrives() -> bool:
            sender.send(2)
            return bool(new.got)

        await until(arrives, "a message at the new place")
    assert [1] == [message.index for message in old.got]


async def test_member_that_is_none_any_more_is_forgotten(sender: Sender) -> None:
    receiver = Receiver()
    async with served(receiver) as port:
        sender.peers.update({2: f"127.0.0.1:{port}"})
        sender.send(1)
        await until(lambda: bool(receiver.got), "a message")
        sender.peers.update({})
        sender.send(2)

    assert [2] == sender.events.unreachable
    assert [1] == [message.index for message in receiver.got]


async def test_removed_sender_is_told(sender: Sender) -> None:
    receiver = Receiver()
    receiver.refuses = MemberRemoved(1)
    async with served(receiver) as port:
        sender.peers.hint(2, f"127.0.0.1:{port}")
        sender.send(1)
        await until(lambda: sender.events.is_removed, "the word of it")


async def test_who_refuses_is_not_called_all_the_time(sender: Sender) -> None:
    receiver = Receiver()
    receiver.refuses = InvalidArgument("go away")
    async with served(receiver) as port:
        sender.peers.hint(2, f"127.0.0.1:{port}")
        end = time.monotonic() + 2
        while time.monotonic() < end:
            sender.send(1)
            await asyncio.sleep(0.002)

    assert len(receiver.greetings) < 12


async def pieces(*given: bytes) -> AsyncIterator[bytes]:
    for piece in given:
        yield piece


def snapshot() -> Message:
    meta = SnapshotMeta(index=9, term=3)
    return Message(
        kind=MessageKind.SNAPSHOT, to=2, sender=1, term=3, snapshot=Snapshot(meta=meta, data=b"who")
    )


async def test_snapshot_arrives_piece_by_piece(sender: Sender) -> None:
    receiver = Receiver()
    async with served(receiver) as port:
        sender.peers.hint(2, f"127.0.0.1:{port}")
        await sender.peers.send_snapshot(snapshot(), pieces(b"one", bytes(1 << 20), b"three"))

    assert [b"one", bytes(1 << 20), b"three"] == receiver.pieces
    assert [snapshot()] == receiver.got


async def test_snapshot_of_no_pieces_arrives(sender: Sender) -> None:
    receiver = Receiver()
    async with served(receiver) as port:
        sender.peers.hint(2, f"127.0.0.1:{port}")
        await sender.peers.send_snapshot(snapshot(), pieces())

    assert [snapshot()] == receiver.got


async def test_snapshot_that_does_not_arrive_is_told(sender: Sender) -> None:
    receiver = Receiver()
    with pytest.raises(SnapshotNotSent, match="has no address"):
        await sender.peers.send_snapshot(snapshot(), pieces(b"one"))
    receiver.refuses = InvalidArgument("go away")
    async with served(receiver) as port:
        sender.peers.hint(2, f"127.0.0.1:{port}")
        with pytest.raises(SnapshotNotSent, match="go away"):
            await sender.peers.send_snapshot(snapshot(), pieces(b"one"))


def test_outbox_is_bounded_in_bytes_and_in_messages() -> None:
    for size, limit in ((1 << 20, 17), (0, 5000)):
        outbox = Outbox(2, "there:1")
        message = Message(kind=MessageKind.APPEND, entries=(Entry(data=bytes(size)),))
        accepted = sum(outbox.put(message) for _ in range(limit))
        assert accepted < limit

        while outbox.take():
            pass
        assert outbox.put(message)
