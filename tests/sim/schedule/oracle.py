"""Who sees everything: the rules that must hold after every step, whatever the schedule.

Source: the safety properties of the Raft paper (Ongaro and Ousterhout, 2014, figure 3), and what
follows from them for crashes, votes, acknowledgements and membership.
"""

from __future__ import annotations

from collections.abc import Sequence

from manager.core.raft.memory_log import MemoryLog
from manager.core.raft.messages import (
    ConfState,
    Entry,
    HardState,
    Message,
    MessageKind,
)
from tests.sim.schedule.machine import MachineState, chain

# A candidate may ask for votes, and a follower say that it is there, before the disk has the term:
# nobody counts on that. On these kinds others do.
_BINDING = frozenset(
    {
        MessageKind.APPEND,
        MessageKind.APPEND_REPLY,
        MessageKind.HEARTBEAT,
        MessageKind.SNAPSHOT,
        MessageKind.TIMEOUT_NOW,
        MessageKind.VOTE_REPLY,
    }
)


class RuleBroken(AssertionError):
    """A schedule led to what must never be."""


def _demand(holds: bool, rule: str) -> None:
    if not holds:
        raise RuleBroken(rule)


class Oracle:
    """The history of the whole cluster, and the verdict on each step."""

    def __init__(self) -> None:
        self._first = 0
        self._leaders: dict[int, int] = {}
        self._entries: dict[tuple[int, int], tuple[Entry, int]] = {}
        self._committed: dict[int, tuple[Entry, int]] = {}
        self._digests: dict[int, bytes] = {0: b""}
        self._confs: dict[int, ConfState] = {}
        self._votes: dict[tuple[int, int], int] = {}
        self._terms: dict[int, int] = {}
        self.acknowledged: set[bytes] = set()

    @property
    def last_committed(self) -> int:
        """The highest index that any member took for committed."""
        return max(self._committed, default=self._first)

    @property
    def history(self) -> bytes:
        """The digest of all that was committed."""
        return self._digests[max(self._digests)]

    def begin(self, index: int, digest: bytes, conf: ConfState) -> None:
        """Note what all members start with."""
        self._first = index
        self._digests[index] = digest
        self._confs[index] = conf

    def sent(self, message: Message) -> None:
        """Note what a message binds its sender to, beyond a crash."""
        if message.kind not in _BINDING:
            return
        sender, term = message.sender, message.term
        self._terms[sender] = max(term, self._terms.get(sender, 0))
        if message.kind is MessageKind.VOTE_REPLY and not message.reject:
            self._vote(sender, term, message.to)

    def _vote(self, voter: int, term: int, candidate: int) -> None:
        before = self._votes.setdefault((voter, term), candidate)
        rule = f"{voter} voted for {before} and for {candidate} in term {term}"
        _demand(before == candidate, rule)

    def wrote(self, log: MemoryLog, entries: Sequence[Entry]) -> None:
        """Check log matching: equal index and term mean an equal entry and an equal past."""
        for entry in entries:
            place = (entry.index, entry.term)
            past = log.term(entry.index - 1) if entry.index > log.first_index() else -1
            known, known_past = self._entries.setdefault(place, (entry, past))
            _demand(known == entry, f"two entries at {place}")
            if past >= 0 and known_past >= 0:
                _demand(past == known_past, f"entries at {place} with different pasts")

    def restarted(self, member: int, hard_state: HardState) -> None:
        """Check that a crash took back no term and no vote that others were told of."""
        said = self._terms.get(member, 0)
        _demand(hard_state.term >= said, f"{member} forgot term {said}")
        voted = self._votes.get((member, hard_state.term))
        if voted is not None:
            _demand(hard_state.vote == voted, f"{member} forgot its vote in {hard_state.term}")

    def leads(self, member: int, term: int, log: MemoryLog) -> None:
        """Check election safety and leader completeness for a member that leads."""
        before = self._leaders.get(term)
        if before == member:
            return
        _demand(before is None, f"{before} and {member} both lead term {term}")
        self._leaders[term] = member
        self._vote(member, term, member)
        for index in range(log.first_index(), self.last_committed + 1):
            if index not in self._committed:
                continue
            entry, seen = self._committed[index]
            if seen >= term:
                continue
            has = index <= log.last_index() and log.term(index) == entry.term
            _demand(has, f"{member} leads term {term} without entry {index} of {entry.term}")

    def committed(self, member: int, term: int, entries: Sequence[Entry]) -> None:
        """Check state machine safety: one entry per index, in order."""
        for entry in entries:
            known, _ = self._committed.setdefault(entry.index, (entry, term))
            _demand(known == entry, f"{member} committed another entry at {entry.index}")
            if entry.index not in self._digests and entry.index - 1 in self._digests:
                self._digests[entry.index] = chain(self._digests[entry.index - 1], entry)

    def commit_index(self, member: int, before: int, after: int, log: MemoryLog) -> None:
        """Check that a commit index only grows, and never past what its member has."""
        _demand(after >= before, f"{member} committed {before} and then {after}")
        _demand(after <= log.last_index(), f"{member} has no entry {after}, but committed it")
        known = self._committed.get(after)
        if known is not None and after >= log.first_index():
            same = log.term(after) == known[0].term
            _demand(same, f"{member} committed {after} of another term")

    def applied(self, member: int, state: MachineState) -> None:
        """Check that all members that applied an index have the same history."""
        known = self._digests.get(state.index)
        _demand(known is not None, f"{member} applied {state.index} before it was committed")
        _demand(known == state.digest, f"{member} has another history at {state.index}")

    def read(self, asked_at: int, answered_at: int) -> None:
        """Check that a read sees all that was committed when it was asked for."""
        _demand(answered_at >= asked_at, f"a read as of {asked_at} was answered by {answered_at}")

    def changed(self, index: int, conf: ConfState) -> None:
        """Check that a change led every member to the same membership."""
        known = self._confs.setdefault(index, conf)
        _demand(known == conf, f"the change at {index} led to {known} and to {conf}")

    def conf_at(self, index: int) -> ConfState:
        """Return the membership as of an index."""
        return self._confs[max(at for at in self._confs if at <= index)]

    def truncated(self, message: Message, before: MemoryLog, last_after: int) -> None:
        """Check that an append cut the log only where it disagreed with it."""
        if last_after >= before.last_index():
            return
        for entry in message.entries:
            if entry.index < before.first_index() or entry.index > before.last_index():
                continue
            if before.term(entry.index) != entry.term:
                return
        _demand(message.kind is not MessageKind.APPEND, "an append that agreed cut the log")
