"""The managers as members of raft, and whether one of them can be spared."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct


class Member(Struct, frozen=True, kw_only=True):
    """One manager.

    is_reachable: whether the leader heard of it lately; None when nobody can tell.
    match_index:  its log is known to agree with the leader's up to here; 0 when nobody can tell.
    """

    raft_id: int
    node_id: str
    address: str
    is_leader: bool = False
    is_reachable: bool | None = None
    is_learner: bool = False
    match_index: int = 0


def can_spare(members: Sequence[Member], raft_id: int) -> bool:
    """Tell whether those who stay are a quorum of themselves, by how the leader sees them.

    Learners have no vote; to lose one costs nothing. A member that nobody can tell anything of
    counts as gone.
    """
    voters = [each for each in members if not each.is_learner]
    staying = [each for each in voters if each.raft_id != raft_id]
    if len(staying) == len(voters):
        return True
    reachable = sum(bool(each.is_reachable) for each in staying)
    return reachable > len(staying) // 2
