"""The way to another manager in matters of membership."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import grpc.aio

from manager.ports.members import Member
from manager.rpc.membership import from_wire
from protos.errors import raised_here
from protos.skep.v1.membership_pb2 import JoinRequest, LeaveRequest, ListRequest
from protos.skep.v1.membership_pb2_grpc import MembershipStub

_CALL_LIMIT_S = 10.0

OpenChannel = Callable[[str], grpc.aio.Channel]


class MembershipClient:
    """Asks managers by address; `list` of any of them tells who leads."""

    def __init__(self, open_channel: OpenChannel) -> None:
        self._open = open_channel

    async def list(self, address: str, limit_s: float = _CALL_LIMIT_S) -> Sequence[Member]:
        """Return the members as a manager sees them. Errors: Unavailable, Expired."""
        async with self._called(address) as stub:
            answer = await stub.List(ListRequest(), timeout=limit_s)
        return [from_wire(member) for member in answer.members]

    async def join(self, leader: str, raft_id: int, address: str) -> Sequence[Member]:
        """Have this node's member added, reachable at `address`; return all members.

        Errors:  NotLeader, NotDone, OutcomeUnknown (ask again: it is done once), Conflict.
        """
        async with self._called(leader) as stub:
            request = JoinRequest(raft_id=raft_id, address=address)
            answer = await stub.Join(request, timeout=_CALL_LIMIT_S)
        return [from_wire(member) for member in answer.members]

    async def leave(self, leader: str, raft_id: int) -> None:
        """Have a member taken out. Errors: NotLeader, NotDone, OutcomeUnknown, QuorumLoss."""
        async with self._called(leader) as stub:
            await stub.Leave(LeaveRequest(raft_id=raft_id), timeout=_CALL_LIMIT_S)

    @asynccontextmanager
    async def _called(self, address: str) -> AsyncIterator[MembershipStub]:
        async with self._open(address) as channel:
            with raised_here():
                yield MembershipStub(channel)
