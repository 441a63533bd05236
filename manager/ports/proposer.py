"""The way into the replicated log."""

from __future__ import annotations

from typing import Protocol


class Proposer(Protocol):
    """What commits entries, and proves that the local state is not stale."""

    async def propose(self, data: bytes) -> int:
        """Return the entry's log index once it is committed and applied here.

        Errors:  NotDone (NotLeader among them) when it certainly never will be; OutcomeUnknown.
        """
        ...

    async def read_barrier(self) -> None:
        """Return when the local state holds everything that was committed when called.

        Errors:  Unavailable (no leader), within seconds.
        """
        ...
