"""All that changes in a member. The roles' rules live beside it, one file each."""

from __future__ import annotations

from manager.core.raft.config import Config
from manager.core.raft.log import RaftLog
from manager.core.raft.members import Members
from manager.core.raft.membership import Membership
from manager.core.raft.messages import NONE, Entry, HardState, Message
from manager.core.raft.read_queue import ReadQueue
from manager.core.raft.ready import ReadState
from manager.core.raft.status import Role, SoftState


class State:
    """One member's state, and the two ways that messages leave it.

    term, vote and log.committed are hard: they never fall back, and are stored before anything
    that follows from them is said.

    leader:     whom it follows, NONE while unknown · transferee: whom it hands leadership to
    has_handed_over:  in this term somebody was told to take over at once, which ends the lease
    pending_change:   no change of membership is let in before this index is applied
    uncommitted_bytes:  data proposed in this term, not applied yet
    """

    __slots__ = (
        "config",
        "election_elapsed",
        "election_timeout",
        "has_handed_over",
        "heartbeat_elapsed",
        "id",
        "leader",
        "log",
        "membership",
        "outbox",
        "pending_change",
        "read_states",
        "reads",
        "role",
        "term",
        "transferee",
        "uncommitted_bytes",
        "vote",
        "when_stored",
    )

    def __init__(self, config: Config, log: RaftLog, hard_state: HardState) -> None:
        self.config = config
        self.id = config.id
        self.log = log
        self.membership = Membership(
            max_inflight_messages=config.max_inflight_messages,
            max_inflight_bytes=config.max_inflight_bytes,
        )
        self.term = hard_state.term
        self.vote = hard_state.vote
        self.role = Role.FOLLOWER
        self.leader = NONE
        self.transferee = NONE
        self.has_handed_over = False
        self.election_elapsed = 0
        self.heartbeat_elapsed = 0
        self.election_timeout = 0
        self.pending_change = 0
        self.uncommitted_bytes = 0
        self.reads = ReadQueue()
        self.read_states: list[ReadState] = []
        self.outbox: list[Message] = []
        self.when_stored: list[Message] = []

    def soft_state(self) -> SoftState:
        """Return who leads and what this member is."""
        return SoftState(leader=self.leader, role=self.role)

    def hard_state(self) -> HardState:
        """Return what must be stored."""
        return HardState(term=self.term, vote=self.vote, commit=self.log.committed)

    def send(self, message: Message) -> None:
        """Send what may leave before the present state is stored."""
        assert message.to != self.id, "a message to oneself waits until the state is stored"
        self.outbox.append(message)

    def send_when_stored(self, message: Message) -> None:
        """Send a promise, possibly to oneself: it leaves once the present state is stored."""
        self.when_stored.append(message)

    def reset(self, term: int) -> None:
        """Begin anew in `term`, knowing nothing of the others."""
        assert term >= self.term, "the term would fall back"
        if term != self.term:
            self.term = term
            self.vote = NONE
        self.leader = NONE
        self.transferee = NONE
        self.has_handed_over = False
        self.election_elapsed = 0
        self.heartbeat_elapsed = 0
        self.draw_election_timeout()
        last = self.log.last_index()
        self.membership.reset(last)
        me = self.membership.peers.get(self.id)
        if me:
            me.match = last
        self.pending_change = 0
        self.uncommitted_bytes = 0
        self.reads = ReadQueue()

    def draw_election_timeout(self) -> None:
        """Choose how long to wait for a leader: between one and two election times."""
        ticks = self.config.election_ticks
        self.election_timeout = ticks + self.config.random_below(ticks)

    def may_lead(self) -> bool:
        """Tell whether this member has a vote and is not waiting for a snapshot's restoring."""
        me = self.membership.peers.get(self.id)
        return me is not None and not me.is_learner and self.log.unstable.snapshot is None

    def has_committed_in_term(self) -> bool:
        """Tell whether an entry of this term is committed, so that all older ones are known."""
        return self.log.matches(self.term, self.log.committed)

    def switch_members(self, members: Members) -> None:
        """Put a membership in force."""
        self.membership.switch(members, self.log.last_index())


def payload_size(entries: tuple[Entry, ...] | list[Entry]) -> int:
    """Return the bytes of data alone, so that empty entries are never refused for size."""
    return sum(len(entry.data) for entry in entries)
