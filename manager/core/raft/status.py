"""What a member can tell about itself."""

from __future__ import annotations

import enum

import msgspec

from manager.core.raft.messages import NONE, ConfState, HardState


class Role(enum.Enum):
    """The part that a member plays in its term."""

    FOLLOWER = "follower"
    PRE_CANDIDATE = "pre-candidate"
    CANDIDATE = "candidate"
    LEADER = "leader"


class ProgressKind(enum.Enum):
    """How a leader sends to a follower: carefully, at full speed, or by snapshot."""

    PROBE = "probe"
    REPLICATE = "replicate"
    SNAPSHOT = "snapshot"


class SoftState(msgspec.Struct, frozen=True, gc=False):
    """Who leads and what this member is; nothing that needs storing."""

    leader: int = NONE
    role: Role = Role.FOLLOWER


class PeerStatus(msgspec.Struct, frozen=True):
    """What a leader knows of one member.

    match: the log is known to agree up to here · next: what is sent next · inflight: appends not
    answered yet · pending_snapshot: index of the snapshot on its way, 0 if none
    """

    kind: ProgressKind
    match: int
    next: int
    is_learner: bool
    is_paused: bool
    is_active: bool
    pending_snapshot: int
    inflight: int
    is_inflight_full: bool


class Status(msgspec.Struct, frozen=True):
    """One member's view; `peers` is empty unless it leads, and includes itself if it does."""

    id: int
    soft_state: SoftState
    hard_state: HardState
    conf: ConfState
    applied: int
    first_index: int
    last_index: int
    transferee: int
    peers: dict[int, PeerStatus]
