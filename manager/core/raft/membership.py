"""The membership in force, and what is known of each member: progress and votes."""

from __future__ import annotations

from manager.core.raft import quorum
from manager.core.raft.members import Members
from manager.core.raft.progress import Inflights, Progress
from manager.core.raft.quorum import Verdict


class Membership:
    """Members with their progress (kept by everyone, used by the leader) and their votes."""

    __slots__ = (
        "_max_inflight_bytes",
        "_max_inflight_messages",
        "ids",
        "members",
        "peers",
        "votes",
    )

    def __init__(self, *, max_inflight_messages: int, max_inflight_bytes: int) -> None:
        self._max_inflight_messages = max_inflight_messages
        self._max_inflight_bytes = max_inflight_bytes
        self.members = Members()
        self.peers: dict[int, Progress] = {}
        self.ids: tuple[int, ...] = ()
        self.votes: dict[int, bool] = {}

    def switch(self, members: Members, last_index: int) -> None:
        """Put a membership in force; who stays keeps its progress, who is new is probed."""
        self.members = members
        self.ids = tuple(sorted(members.everyone()))
        before = self.peers
        self.peers = {
            # New members count as active, or a quorum check could end the term before they
            # were able to say anything.
            id_: before.get(id_) or self._progress(next_index=max(last_index, 1), is_active=True)
            for id_ in self.ids
        }
        for id_, progress in self.peers.items():
            progress.is_learner = id_ in members.learners

    def reset(self, last_index: int) -> None:
        """Forget what is known of everyone's log, and all votes."""
        self.votes.clear()
        for id_ in self.ids:
            self.peers[id_] = self._progress(next_index=last_index + 1, is_active=False)
            self.peers[id_].is_learner = id_ in self.members.learners

    def is_singleton(self) -> bool:
        """Tell whether one voter decides alone."""
        return len(self.members.voters) == 1 and not self.members.is_joint()

    def committed(self) -> int:
        """Return the index that a quorum is known to have."""
        members = self.members
        return quorum.joint_committed_index(members.voters, members.outgoing, self._matched)

    def is_quorum_active(self) -> bool:
        """Tell whether a quorum was heard of since the last check."""
        active = {id_: peer.is_active for id_, peer in self.peers.items() if not peer.is_learner}
        return self.verdict(active) is Verdict.WON

    def record_vote(self, id_: int, is_granted: bool) -> None:
        """Note a vote; the first of each member counts."""
        self.votes.setdefault(id_, is_granted)

    def verdict(self, votes: dict[int, bool]) -> Verdict:
        """Return how a vote stands among the voters."""
        return quorum.joint_verdict(self.members.voters, self.members.outgoing, votes)

    def _matched(self, id_: int) -> int:
        return self.peers[id_].match

    def _progress(self, *, next_index: int, is_active: bool) -> Progress:
        return Progress(
            next_index=next_index,
            inflights=Inflights(self._max_inflight_messages, self._max_inflight_bytes),
            is_learner=False,
            is_active=is_active,
        )
