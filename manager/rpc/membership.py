"""How other managers join, leave and find one another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from api.errors import InvalidArgument
from manager.consensus.membership import Membership
from manager.consensus.roster import Seat
from manager.ports.members import Member
from manager.rpc.raft import calling_node
from protos.skep.v1.membership_pb2 import (
    JoinRequest,
    JoinResponse,
    LeaveRequest,
    LeaveResponse,
    ListRequest,
    ListResponse,
    RaftMember,
    ResolveRequest,
    ResolveResponse,
)
from protos.skep.v1.membership_pb2_grpc import MembershipServicer


class MembershipService(MembershipServicer):
    """Hands requests to this manager's view of the members."""

    def __init__(self, membership: Membership, node_id: Callable[[], str] = calling_node) -> None:
        self._membership = membership
        self._node_id = node_id

    async def Join(self, request: JoinRequest, context: Any) -> JoinResponse:
        """Make the calling node's manager a member."""
        if not request.raft_id or not request.address:
            raise InvalidArgument("a manager joins with a raft id and its address")
        await self._membership.add(request.raft_id, Seat(self._node_id(), request.address))
        return JoinResponse(
            members=[to_wire(member) for member in self._membership.known()],
            removed=sorted(self._membership.removed),
        )

    async def Leave(self, request: LeaveRequest, context: Any) -> LeaveResponse:
        """Take a member out."""
        await self._membership.remove(request.raft_id)
        return LeaveResponse()

    async def Resolve(self, request: ResolveRequest, context: Any) -> ResolveResponse:
        """Tell where a member is reached."""
        return ResolveResponse(address=self._membership.resolve(request.raft_id))

    async def List(self, request: ListRequest, context: Any) -> ListResponse:
        """Tell all members."""
        return ListResponse(members=[to_wire(member) for member in self._membership.known()])


def to_wire(member: Member) -> RaftMember:
    """Return a member as it travels."""
    return RaftMember(
        raft_id=member.raft_id,
        node_id=member.node_id,
        address=member.address,
        is_learner=member.is_learner,
        is_leader=member.is_leader,
        is_reachable=member.is_reachable,
        match_index=member.match_index,
    )


def from_wire(wire: RaftMember) -> Member:
    """Return the member."""
    return Member(
        raft_id=wire.raft_id,
        node_id=wire.node_id,
        address=wire.address,
        is_learner=wire.is_learner,
        is_leader=wire.is_leader,
        is_reachable=wire.is_reachable if wire.HasField("is_reachable") else None,
        match_index=wire.match_index,
    )
