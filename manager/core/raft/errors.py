"""What consensus refuses, and why. What reaches a user descends from api.errors."""

from __future__ import annotations

from api.errors import Conflict, Internal, InvalidArgument, Unavailable


class ProposalDropped(Unavailable):
    """The proposal was not taken: it is certainly in no log and may be made again."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"proposal dropped: {reason}")
        self.reason = reason


class ProposalTooLarge(InvalidArgument):
    """One entry may not be larger than the configured limit."""

    def __init__(self, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(f"proposal of {size_bytes} bytes is over the limit of {limit_bytes}")


class ChangeRefused(Conflict):
    """The change of membership does not fit the membership, or another one is under way."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class MessageRefused(InvalidArgument):
    """A message that no correct member sends; the state is as it was before."""


class LogCorrupt(Internal):
    """What storage holds contradicts itself. Nothing is dropped to make it fit."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"the raft log contradicts itself: {what}; restore this manager's data from a backup, "
            "or remove it and let the manager join again"
        )


class EntriesCompacted(LookupError):
    """Storage no longer has the entries: a snapshot has taken their place."""


class EntriesUnavailable(LookupError):
    """Storage does not have the entries yet."""


class SnapshotUnavailable(LookupError):
    """Storage cannot give a snapshot now; the next attempt may succeed."""
