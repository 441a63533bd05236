"""What became of proposals: each ends exactly once, as one of three outcomes.

A leader's entry has a place (its term and index), and nothing else ever has that place. So the
first committed entry that takes the place, or that shows that the place can never be reached,
settles it. A forwarded proposal has no place yet and is known by its key.
"""

from __future__ import annotations

import enum
from typing import Generic, TypeVar

from manager.core.raft.messages import Entry, EntryId, EntryKind, SnapshotMeta

Ticket = TypeVar("Ticket")


class Outcome(enum.Enum):
    """How a proposal ended. CERTAINLY_NOT may be proposed again; UNKNOWN must be looked up."""

    COMMITTED = "committed"
    CERTAINLY_NOT = "certainly not"
    UNKNOWN = "unknown"


class Proposals(Generic[Ticket]):
    """A member's proposals that have not ended; a ticket is whatever waits for one.

    Feed it every committed entry, in order, and every snapshot that is restored.
    """

    __slots__ = ("_by_index", "_by_key", "_term")

    def __init__(self) -> None:
        # An index holds several if leadership was lost and won again meanwhile.
        self._by_index: dict[int, list[tuple[int, Ticket]]] = {}
        self._by_key: dict[bytes, Ticket] = {}
        self._term = 0

    def __len__(self) -> int:
        return sum(map(len, self._by_index.values())) + len(self._by_key)

    def add(self, place: EntryId, ticket: Ticket) -> None:
        """Wait for the entry that `Raft.propose` gave this place."""
        self._by_index.setdefault(place.index, []).append((place.term, ticket))

    def add_forwarded(self, key: bytes, ticket: Ticket) -> None:
        """Wait for the entry with this key, which the leader gives a place if it gets it."""
        assert key not in self._by_key, "two proposals have the same key"
        self._by_key[key] = ticket

    def on_committed(self, entry: Entry) -> list[tuple[Ticket, Outcome]]:
        """Take in a committed entry; return the proposals that it settles."""
        settled: list[tuple[Ticket, Outcome]] = []
        for term, ticket in self._by_index.pop(entry.index, ()):
            is_it = term == entry.term
            settled.append((ticket, Outcome.COMMITTED if is_it else Outcome.CERTAINLY_NOT))
        if entry.term > self._term:
            settled += self._give_up_before(entry.term)
        if entry.key and entry.key in self._by_key:
            # A change that did not fit was replaced by an empty entry.
            is_refused = entry.kind is EntryKind.NORMAL and not entry.data
            outcome = Outcome.CERTAINLY_NOT if is_refused else Outcome.COMMITTED
            settled.append((self._by_key.pop(entry.key), outcome))
        return settled

    def on_snapshot(self, meta: SnapshotMeta) -> list[tuple[Ticket, Outcome]]:
        """Take in that a snapshot replaced entries that were never seen committed."""
        settled: list[tuple[Ticket, Outcome]] = []
        for index in sorted(index for index in self._by_index if index <= meta.index):
            for term, ticket in self._by_index.pop(index):
                outcome = Outcome.UNKNOWN
                if index == meta.index:
                    is_it = term == meta.term
                    outcome = Outcome.COMMITTED if is_it else Outcome.CERTAINLY_NOT
                settled.append((ticket, outcome))
        settled += self._give_up_before(meta.term)
        settled += [(ticket, Outcome.UNKNOWN) for ticket in self._by_key.values()]
        self._by_key.clear()
        return settled

    def abandon(self, ticket: Ticket) -> list[tuple[Ticket, Outcome]]:
        """Stop waiting for one: unknown, unless it has ended."""
        for index, waiting in self._by_index.items():
            kept = [(term, other) for term, other in waiting if other != ticket]
            if len(kept) < len(waiting):
                self._by_index[index] = kept
                return [(ticket, Outcome.UNKNOWN)]
        for key, other in self._by_key.items():
            if other == ticket:
                del self._by_key[key]
                return [(ticket, Outcome.UNKNOWN)]
        return []

    def abandon_all(self) -> list[tuple[Ticket, Outcome]]:
        """Stop waiting: all that have not ended are unknown."""
        tickets = [ticket for waiting in self._by_index.values() for _, ticket in waiting]
        tickets += self._by_key.values()
        self._by_index.clear()
        self._by_key.clear()
        return [(ticket, Outcome.UNKNOWN) for ticket in tickets]

    def _give_up_before(self, term: int) -> list[tuple[Ticket, Outcome]]:
        """Settle what is of an older term than something committed before it.

        Terms never fall along a log, so no log that has the committed entry can have it.
        """
        self._term = max(self._term, term)
        settled: list[tuple[Ticket, Outcome]] = []
        for index, waiting in list(self._by_index.items()):
            settled += [
                (ticket, Outcome.CERTAINLY_NOT) for old, ticket in waiting if old < self._term
            ]
            kept = [(old, ticket) for old, ticket in waiting if old >= self._term]
            if kept:
                self._by_index[index] = kept
            else:
                del self._by_index[index]
        return settled
