"""What strangers, workers, former members and garbage do to a member: nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
import pytest_asyncio

from api.errors import (
    Forbidden,
    Internal,
    InvalidArgument,
    SkepError,
    Unauthenticated,
    Unavailable,
)
from manager.ports.peers import MemberRemoved, WrongMember
from protos.errors import raised_here
from protos.identity.certificates import Identity, Role
from protos.identity.channels import Credentials, open_channel
from protos.skep.v1.raft_pb2 import Greeting, RaftMessage, SnapshotChunk, StepRequest
from protos.skep.v1.raft_pb2_grpc import RaftStub
from tests.authority import Authority
from tests.consensus.cluster import Cluster, Node, Refused, running, until, write
from tests.consensus.member import CLUSTER

STRANGER = Identity("stranger", Role.MANAGER, CLUSTER)
EXPIRED = timedelta(minutes=-1)


@pytest_asyncio.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    """Lend a cluster of one, and see that it goes on afterwards as if nothing had been."""
    async with running(tmp_path, 1) as lent:
        before = await lent.nodes[0].status()
        yield lent
        after = await lent.nodes[0].status()
        assert before is not None
        assert after is not None
        assert before["term"] == after["term"]
        await write(lent.nodes, "a", 1)


async def greeting(node: Node, **changed: Any) -> Greeting:
    """Return the greeting of an unknown member to a node."""
    status = await node.status()
    assert status is not None
    return Greeting(
        **{"sender": 4711, "receiver": status["raft_id"], "address": "127.0.0.1:1"} | changed
    )


async def step(node: Node, shown: Credentials, requests: Iterable[StepRequest]) -> None:
    """Send a stream of requests. Errors: what the node says to them."""
    async with open_channel(node.address, shown) as channel:
        with raised_here():
            await RaftStub(channel).Step(iter(requests), timeout=10)


@pytest.mark.parametrize(
    ("identity", "authority", "valid_for", "error"),
    [
        (STRANGER, Authority("other"), timedelta(days=1), Unavailable),
        (Identity("n", Role.MANAGER, "another"), None, timedelta(days=1), Unauthenticated),
        (Identity("n", Role.WORKER, CLUSTER), None, timedelta(days=1), Forbidden),
        (STRANGER, None, EXPIRED, SkepError),
    ],
    ids=["another root", "another cluster", "a worker", "expired"],
)
async def test_wrong_certificates_are_refused(
    cluster: Cluster,
    identity: Identity,
    authority: Authority | None,
    valid_for: timedelta,
    error: type[SkepError],
) -> None:
    issued = (authority or cluster.authority).issue(identity, valid_for)
    shown = issued.credentials(cluster.authority.certificate)
    hello = StepRequest(greeting=await greeting(cluster.nodes[0]))

    with pytest.raises(error):
        await step(cluster.nodes[0], shown, [hello])


async def test_stream_must_begin_with_a_greeting_for_this_member(cluster: Cluster) -> None:
    node, shown = cluster.nodes[0], cluster.credentials(STRANGER)
    vote = RaftMessage(kind="RAFT_MESSAGE_KIND_VOTE", to=1, sender=4711, term=99)

    with pytest.raises(InvalidArgument, match="must begin with a greeting"):
        await step(node, shown, [StepRequest(messages=[vote])])
    with pytest.raises(WrongMember):
        await step(node, shown, [StepRequest(greeting=await greeting(node, receiver=12))])


async def test_member_speaks_only_for_itself(cluster: Cluster) -> None:
    node, shown = cluster.nodes[0], cluster.credentials(STRANGER)
    hello = await greeting(node)
    other = RaftMessage(kind="RAFT_MESSAGE_KIND_VOTE", to=hello.receiver, sender=1, term=99)

    with pytest.raises(InvalidArgument, match="somebody else"):
        await step(node, shown, [StepRequest(greeting=hello), StepRequest(messages=[other])])
    with pytest.raises(Forbidden, match="is not node stranger"):
        await step(node, shown, [StepRequest(greeting=await greeting(node, sender=hello.receiver))])


@pytest.mark.parametrize("kind", [0, 20, 21, 22, 23, 77])
async def test_messages_of_no_kind_for_others_are_refused(cluster: Cluster, kind: int) -> None:
    """The storage workers' answers above all: they would acknowledge what is not written."""
    node, shown = cluster.nodes[0], cluster.credentials(STRANGER)
    hello = await greeting(node)
    odd = RaftMessage(to=hello.receiver, sender=hello.sender, term=99, index=99)
    odd.kind = kind  # type: ignore[assignment]  # an open enum: any number travels

    with pytest.raises(InvalidArgument):
        await step(node, shown, [StepRequest(greeting=hello), StepRequest(messages=[odd])])


async def test_answers_of_who_is_no_member_count_for_nothing(cluster: Cluster) -> None:
    node, shown = cluster.nodes[0], cluster.credentials(STRANGER)
    hello = await greeting(node)
    replies = [
        RaftMessage(kind=kind, to=hello.receiver, sender=hello.sender, term=term, index=2**62)  # type: ignore[arg-type]  # numbers by design
        for kind in (3, 5, 7, 10, 14)
        for term in (0, 1, 2)
    ]

    await step(node, shown, [StepRequest(greeting=hello), StepRequest(messages=replies)])


async def test_garbage_ends_the_stream_alone(cluster: Cluster) -> None:
    shown = cluster.credentials(STRANGER)
    async with open_channel(cluster.nodes[0].address, shown) as channel:
        for method in ("Step", "SendSnapshot"):
            call = channel.stream_unary(f"/skep.v1.Raft/{method}", lambda raw: raw, lambda raw: raw)
            with pytest.raises(grpc.aio.AioRpcError):
                await call(iter([b"\xff\x00garbage" * 100]), timeout=10)


async def test_oversized_message_is_refused(cluster: Cluster) -> None:
    node, shown = cluster.nodes[0], cluster.credentials(STRANGER)
    hello = await greeting(node)
    huge = RaftMessage(kind="RAFT_MESSAGE_KIND_VOTE", context=bytes(100 << 20))

    with pytest.raises((InvalidArgument, Internal)):
        await step(node, shown, [StepRequest(greeting=hello), StepRequest(messages=[huge])])


async def test_oversized_entry_is_refused_before_it_is_proposed(cluster: Cluster) -> None:
    with pytest.raises(Refused, match="ProposalTooLarge"):
        await cluster.nodes[0].ask("write", key="a", value=1, ballast=100 << 20)


@pytest.mark.parametrize("told", [0, 3])
async def test_half_a_snapshot_leaves_nothing(cluster: Cluster, told: int) -> None:
    """The stream ends early, or says that there were more pieces than arrived."""
    node, shown = cluster.nodes[0], cluster.credentials(STRANGER)
    hello = await greeting(node)
    message = RaftMessage(
        kind="RAFT_MESSAGE_KIND_SNAPSHOT", to=hello.receiver, sender=hello.sender, term=99
    )
    message.snapshot.index, message.snapshot.term = 10**6, 99
    chunks = [SnapshotChunk(greeting=hello, message=message), SnapshotChunk(piece=b"half")]
    chunks += [SnapshotChunk(pieces=told)] if told else []

    async with open_channel(node.address, shown) as channel:
        with pytest.raises(InvalidArgument), raised_here():
            await RaftStub(channel).SendSnapshot(iter(chunks), timeout=10)


async def test_removed_member_is_told_and_heard_no_more(tmp_path: Path) -> None:
    async with running(tmp_path, 3) as cluster:
        leader = await cluster.leader()
        removed = (await cluster.followers())[0]
        status = await removed.status()
        assert status is not None
        await leader.ask("remove", raft_id=status["raft_id"])
        hello = await greeting(leader, sender=status["raft_id"])

        async def knows_it() -> bool:
            now = await removed.status()
            return now is not None and now["removed"]

        await until(knows_it, "the removed member to be told")
        with pytest.raises(MemberRemoved):
            await step(leader, cluster.credentials(STRANGER), [StepRequest(greeting=hello)])
        await write([leader], "a", 1)
