"""The way to another manager over gRPC: for requests that only it can serve, and for its view."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import grpc.aio

from manager.core.member import Member
from manager.ports.leadership import Reply, Request
from manager.ports.outcomes import NotDone, OutcomeUnknown, Unreachable
from manager.ports.statuses import OwnStatus
from manager.rpc.membership import from_wire
from protos.errors import from_status
from protos.skep.v1.control_pb2 import Header, HttpRequest, StatusRequest, StatusResponse
from protos.skep.v1.control_pb2_grpc import ControlStub
from protos.skep.v1.membership_pb2 import ListRequest
from protos.skep.v1.membership_pb2_grpc import MembershipStub

# Whoever is not connected within this is not the leader for long.
CONNECT_LIMIT_S = 2.0
STATUS_LIMIT_S = 2.0

# How gRPC says that there was no connection that the call could have gone out on.
_NEVER_SENT = "failed to connect to all addresses"

OpenChannel = Callable[[str], grpc.aio.Channel]


class ManagerClient:
    """Keeps one channel per manager; `reset` after the certificates changed."""

    def __init__(self, open_channel: OpenChannel) -> None:
        self._open = open_channel
        self._links: dict[str, _Link] = {}

    async def connect(self, address: str) -> None:
        """Return when the manager at this address can be asked. Errors: Unreachable."""
        async with self._link(address) as channel:
            try:
                async with asyncio.timeout(CONNECT_LIMIT_S):
                    await channel.channel_ready()
            except TimeoutError as error:
                raise Unreachable(address) from error

    async def forward(self, address: str, request: Request) -> Reply:
        """Have the manager at this address serve the request.

        Errors:  NotLeader when it does not lead, Unreachable when it could not be asked (nothing
                 was done in both cases); OutcomeUnknown when the connection broke afterwards.
        """
        async with self._link(address) as channel:
            try:
                answer = await ControlStub(channel).Forward(_to_wire(request))
            except grpc.aio.AioRpcError as error:
                raise _failure(address, error) from error
        headers = tuple((each.name.encode(), each.value.encode()) for each in answer.headers)
        return Reply(answer.status, headers, answer.body)

    async def status(self, address: str) -> OwnStatus:
        """Return how a manager sees itself. Errors: Unreachable."""
        async with self._link(address) as channel:
            try:
                found: StatusResponse = await ControlStub(channel).Status(
                    StatusRequest(), timeout=STATUS_LIMIT_S, wait_for_ready=True
                )
            except grpc.aio.AioRpcError as error:
                raise Unreachable(address) from error
        return OwnStatus(
            node_id=found.node_id,
            raft_id=found.raft_id,
            term=found.term,
            leader=found.leader,
            commit_index=found.commit_index,
            applied_index=found.applied_index,
            version=found.version,
        )

    async def members(self, address: str) -> Sequence[Member]:
        """Return the members as a manager sees them. Errors: Unreachable."""
        async with self._link(address) as channel:
            try:
                found = await MembershipStub(channel).List(ListRequest(), timeout=STATUS_LIMIT_S)
            except grpc.aio.AioRpcError as error:
                raise Unreachable(address) from error
        return [from_wire(each) for each in found.members]

    async def reset(self) -> None:
        """Let go of all channels: the next calls make new ones, with the certificates of then.

        Calls under way go on to their end.
        """
        links, self._links = self._links, {}
        for link in links.values():
            link.is_retired = True
            await link.close_if_idle()

    @asynccontextmanager
    async def _link(self, address: str) -> AsyncIterator[grpc.aio.Channel]:
        link = self._links.get(address)
        if link is None:
            link = self._links[address] = _Link(self._open(address))
        link.users += 1
        try:
            yield link.channel
        finally:
            link.users -= 1
            await link.close_if_idle()


@dataclass(slots=True)
class _Link:
    """A channel, and how many calls use it."""

    channel: grpc.aio.Channel
    users: int = 0
    is_retired: bool = False

    async def close_if_idle(self) -> None:
        if self.is_retired and not self.users:
            await self.channel.close(None)


def _failure(address: str, error: grpc.aio.AioRpcError) -> NotDone | OutcomeUnknown:
    """Return what a failed call to the leader means for the change that it was to make."""
    failure = from_status(error)
    if isinstance(failure, NotDone):
        return failure
    if _NEVER_SENT in (error.details() or ""):
        return Unreachable(address)
    return OutcomeUnknown()


def _to_wire(request: Request) -> HttpRequest:
    return HttpRequest(
        method=request.method,
        path=request.path,
        query=request.query.decode("latin-1"),
        headers=[
            Header(name=name.decode("latin-1"), value=value.decode("latin-1"))
            for name, value in request.headers
        ],
        body=request.body,
    )
