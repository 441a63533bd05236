"""How managers see themselves."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct


class OwnStatus(Struct, frozen=True, kw_only=True):
    """One manager's view of itself; leader is a raft id, 0 for none."""

    node_id: str
    raft_id: int
    term: int
    leader: int
    commit_index: int
    applied_index: int
    version: str


class Statuses(Protocol):
    """Asks managers."""

    def own(self) -> OwnStatus:
        """Return this manager's status."""
        ...

    async def of(self, address: str) -> OwnStatus:
        """Return the status of the manager at this address. Errors: Unavailable."""
        ...
