"""What a member tells about itself."""

from __future__ import annotations

from dataclasses import dataclass

from manager.consensus.leadership import Lead
from manager.core.raft.status import Status
from manager.ports.members import Member


@dataclass(frozen=True, slots=True)
class ConsensusStatus:
    """One member's view: the core's, who leads, and the members by name.

    snapshot_index:  the last entry that the newest dump contains.
    """

    raft_id: int
    raft: Status
    lead: Lead
    members: tuple[Member, ...]
    snapshot_index: int

    @property
    def term(self) -> int:
        """The term of now."""
        return self.raft.hard_state.term

    @property
    def commit_index(self) -> int:
        """The last entry that is known to be committed."""
        return self.raft.hard_state.commit

    @property
    def applied_index(self) -> int:
        """The last entry that the state here contains."""
        return self.raft.applied

    @property
    def last_index(self) -> int:
        """The last entry of the log here."""
        return self.raft.last_index
