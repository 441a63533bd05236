"""The worker that applies what is committed, a little at a time so that the loop stays quick."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from manager.consensus.barriers import Barriers
from manager.consensus.proposals import Proposals
from manager.consensus.roster import Roster
from manager.core.raft.messages import (
    ConfChange,
    ConfState,
    Entry,
    EntryKind,
    Message,
    SnapshotMeta,
    decode_change,
)
from manager.ports.state_machine import StateMachine

_SLICE = 32


class Applier:
    """Takes messages of kind STORAGE_APPLY. Knows what the state is as of."""

    def __init__(
        self,
        machine: StateMachine,
        proposals: Proposals,
        barriers: Barriers,
        switch: Callable[[ConfChange], ConfState],
        deliver: Callable[[Message], None],
        on_roster: Callable[[Roster], None],
        on_applied: Callable[[SnapshotMeta, int], None],
    ) -> None:
        """Begin.

        switch:      puts a committed membership in force.
        on_roster:   hears who is in it.
        on_applied:  hears what the state is as of, and how many bytes of commands came so far.
        """
        self._machine = machine
        self._proposals = proposals
        self._barriers = barriers
        self._switch = switch
        self._deliver = deliver
        self._on_roster = on_roster
        self._on_applied = on_applied
        self._waiting: deque[tuple[Message, int]] = deque()
        self.point = SnapshotMeta()
        self.roster = Roster()
        self._bytes = 0

    def put(self, message: Message) -> None:
        """Take in work."""
        self._waiting.append((message, 0))

    def step(self) -> bool:
        """Apply some entries; False if there are none."""
        if not self._waiting:
            return False
        message, done = self._waiting.popleft()
        entries = message.entries[done : done + _SLICE]
        for entry in entries:
            self._apply(entry)
        if done + len(entries) < len(message.entries):
            self._waiting.appendleft((message, done + len(entries)))
        else:
            for response in message.responses:
                self._deliver(response)
        self._barriers.applied(self.point.index)
        self._on_applied(self.point, self._bytes)
        return True

    def restored(self, meta: SnapshotMeta, roster: Roster) -> None:
        """Go on from a snapshot that became the state."""
        self.point = meta
        self.roster = roster
        self._on_roster(roster)
        self._proposals.restored(meta)
        self._barriers.applied(meta.index)
        self._on_applied(self.point, self._bytes)

    def _apply(self, entry: Entry) -> None:
        conf = self.point.conf
        assert entry.index == self.point.index + 1, "entries are applied in order, each once"
        if entry.kind is EntryKind.CHANGE:
            change = decode_change(entry.data)
            conf = self._switch(change)
            self.roster = self.roster.after(change)
            self._on_roster(self.roster)
        elif entry.data:
            self._machine.apply(entry.index, entry.data)
        self.point = SnapshotMeta(index=entry.index, term=entry.term, conf=conf)
        self._bytes += len(entry.data)
        self._proposals.applied(entry)
