"""The managers of the cluster as Raft members, and how the leader sees them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from manager.core.member import Member

__all__ = ["Member", "Members"]


class Members(Protocol):
    """The membership, changed by the leader alone."""

    def known(self) -> Sequence[Member]:
        """Return the members as this manager's own log has them, learners included."""
        ...

    async def seen(self) -> Sequence[Member]:
        """Return the members as the leader sees them; as `known` when it cannot be asked."""
        ...

    async def remove(self, raft_id: int) -> None:
        """Take a member out; returns when that is committed.

        Errors:  NotLeader, and Conflict while another change is under way.
        """
        ...

    async def transfer_leadership(self) -> None:
        """Have another member lead, if there is one that can. Errors: Unavailable if it did not."""
        ...
