"""How one member takes part: its name, its patience, its limits."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass

from api.errors import InvalidArgument
from manager.core.raft.messages import LOCAL_APPLY, NONE

NO_LIMIT = 2**63 - 1


class ReadMode(enum.Enum):
    """How a leader makes sure that it still is one before it answers a read.

    SAFE   by a round of heartbeats
    LEASE  by the clock: a quorum was heard of within the election time. Wrong if clocks run at
           different speeds, or if a follower restarts and votes within the lease
    """

    SAFE = "safe"
    LEASE = "lease-based"


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What a member is started with.

    random_below:  gives a number in [0, n); the only chance in consensus, so that a seeded one
                   makes a run repeatable.
    applied:       the index up to which the state machine has applied when it starts; entries
                   from there on are handed out again.
    max_message_bytes:   entries of one append message; at least one entry is always sent.
    max_inflight_bytes:  appends on their way to one follower, 0 for no limit.
    max_uncommitted_bytes:  data proposed here and not committed yet; more is dropped.
    max_apply_bytes:     committed entries handed out and not yet applied.
    max_entry_bytes:     data of one proposal.
    is_async_storage:    storage work is given as messages to workers (see messages.py), so that
                         a leader may write and send at the same time.
    """

    id: int
    random_below: Callable[[int], int]
    election_ticks: int = 10
    heartbeat_ticks: int = 1
    applied: int = 0
    max_message_bytes: int = 1 << 20
    max_inflight_messages: int = 256
    max_inflight_bytes: int = 0
    max_uncommitted_bytes: int = 64 << 20
    max_apply_bytes: int = 64 << 20
    max_entry_bytes: int = 8 << 20
    has_check_quorum: bool = True
    has_pre_vote: bool = True
    read_mode: ReadMode = ReadMode.SAFE
    is_async_storage: bool = False
    forwards_proposals: bool = True
    validates_changes: bool = True
    steps_down_on_removal: bool = True

    def __post_init__(self) -> None:
        """Refuse what cannot work. Errors: InvalidArgument."""
        if not NONE < self.id < LOCAL_APPLY:
            raise InvalidArgument(f"raft id {self.id} is reserved or out of range")
        if self.heartbeat_ticks < 1 or self.election_ticks <= self.heartbeat_ticks:
            raise InvalidArgument("the election time must be longer than the heartbeat's")
        if self.max_inflight_messages < 1:
            raise InvalidArgument("at least one append must be allowed in flight")
        if 0 < self.max_inflight_bytes < self.max_message_bytes:
            raise InvalidArgument("bytes in flight must allow at least one message")
        if self.read_mode is ReadMode.LEASE and not self.has_check_quorum:
            raise InvalidArgument("reads by lease need the quorum check")
