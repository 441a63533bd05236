"""How the managers are: for operators."""

from __future__ import annotations

import asyncio

from msgspec import Struct
from msgspec.structs import replace

from api.errors import SkepError
from manager.cluster.own import ManagerEnv
from manager.core.member import Member
from manager.ports.statuses import OwnStatus


class MemberStatus(Struct, frozen=True, kw_only=True):
    """One manager. What it did not tell itself is 0; Error says why it told nothing.

    Lag:  how many log entries it has to catch up with the most advanced manager.
    """

    NodeID: str
    Hostname: str
    Address: str
    RaftID: int
    IsLeader: bool
    IsVoter: bool
    IsReachable: bool
    Term: int = 0
    CommitIndex: int = 0
    AppliedIndex: int = 0
    Lag: int = 0
    Version: str = ""
    Error: str = ""


class ClusterStatus(Struct, frozen=True, kw_only=True):
    """The managers together. LeaderID is a node's id, "" for none."""

    ClusterID: str
    NodeID: str
    LeaderID: str
    Term: int
    HasQuorum: bool
    Members: list[MemberStatus]


async def cluster_status(env: ManagerEnv) -> ClusterStatus:
    """Return how the managers are, each asked by itself; takes two seconds if one is silent."""
    members = await env.members.seen()
    own = env.statuses.own()
    answers = await asyncio.gather(*(_ask(env, member, own) for member in members))
    newest = max((each.commit_index for each in answers if isinstance(each, OwnStatus)), default=0)
    leader = next((each.node_id for each in members if each.raft_id == own.leader), "")
    voters = [
        isinstance(answer, OwnStatus)
        for member, answer in zip(members, answers, strict=True)
        if not member.is_learner
    ]
    return ClusterStatus(
        ClusterID=next((each.id for each in env.store.view().clusters), ""),
        NodeID=own.node_id,
        LeaderID=leader,
        Term=own.term,
        HasQuorum=bool(leader) and sum(voters) > len(voters) // 2,
        Members=[
            _describe(env, member, answer, newest, leader)
            for member, answer in zip(members, answers, strict=True)
        ],
    )


async def _ask(env: ManagerEnv, member: Member, own: OwnStatus) -> OwnStatus | SkepError:
    if member.raft_id == own.raft_id:
        return own
    try:
        return await env.statuses.of(member.address)
    except SkepError as error:
        return error


def _describe(
    env: ManagerEnv, member: Member, answer: OwnStatus | SkepError, newest: int, leader: str
) -> MemberStatus:
    node = env.store.view().nodes.get(member.node_id)
    shown = MemberStatus(
        NodeID=member.node_id,
        Hostname="" if node is None else node.description.Hostname,
        Address=member.address,
        RaftID=member.raft_id,
        IsLeader=member.node_id == leader,
        IsVoter=not member.is_learner,
        IsReachable=isinstance(answer, OwnStatus),
    )
    if isinstance(answer, SkepError):
        return replace(shown, Error=answer.message)
    return replace(
        shown,
        Term=answer.term,
        CommitIndex=answer.commit_index,
        AppliedIndex=answer.applied_index,
        Lag=max(newest - answer.applied_index, 0),
        Version=answer.version,
    )
