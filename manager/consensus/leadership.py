"""Who leads, as this member knows it, and waiting for that to change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from manager.core.raft.messages import NONE
from manager.core.raft.status import Role


@dataclass(frozen=True, slots=True)
class Lead:
    """The leader of a term; `is_own` once this member leads and has applied all of before."""

    term: int = 0
    leader: int = NONE
    is_own: bool = False


class LeadershipNews:
    """The present lead.

    A new leader is not ready before an entry of its own term is applied: until then its state may
    lack what an earlier leader acknowledged.
    """

    def __init__(self) -> None:
        self.lead = Lead()
        self._role = Role.FOLLOWER
        self._changed = asyncio.Event()

    def turned(self, term: int, leader: int, role: Role) -> bool:
        """Take in a new role or leader; tell whether this member's own lead ended."""
        was_own = self.lead.is_own
        is_own = was_own and role is Role.LEADER and term == self.lead.term
        self._role = role
        self._set(Lead(term, leader, is_own))
        return was_own and not is_own

    def applied(self, term: int) -> None:
        """Take in that an entry of a term was applied."""
        lead = self.lead
        if self._role is Role.LEADER and not lead.is_own and term == lead.term:
            self._set(Lead(term, lead.leader, is_own=True))

    async def changes(self) -> AsyncIterator[Lead]:
        """Yield the lead of now, then whenever it is another; a slow reader skips some."""
        seen: Lead | None = None
        while True:
            changed = self._changed
            if self.lead != seen:
                seen = self.lead
                yield seen
            else:
                await changed.wait()

    def _set(self, lead: Lead) -> None:
        if lead != self.lead:
            self.lead = lead
            self._changed.set()
            self._changed = asyncio.Event()
