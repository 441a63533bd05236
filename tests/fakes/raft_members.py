"""Consensus members in one place, whose driver does at once what is due."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from manager.core.raft.config import Config
from manager.core.raft.errors import MessageRefused
from manager.core.raft.memory_log import MemoryLog
from manager.core.raft.messages import (
    ConfState,
    Entry,
    EntryKind,
    HardState,
    Message,
    MessageKind,
    Snapshot,
    SnapshotMeta,
    decode_change,
)
from manager.core.raft.raft import Raft
from manager.core.raft.ready import Ready
from manager.core.raft.status import Role, Status


def make_member(
    id_: int = 1, voters: tuple[int, ...] = (1, 2, 3), log: MemoryLog | None = None, **options: Any
) -> Raft:
    """Return a member that starts from a log, or from a snapshot of one entry in term 1."""
    settings: dict[str, Any] = {"random_below": lambda _limit: 0, "has_pre_vote": False}
    return Raft(Config(id=id_, **(settings | options)), log or first_log(voters))


def first_log(voters: tuple[int, ...], learners: tuple[int, ...] = ()) -> MemoryLog:
    """Return a log that begins after entry 1 of term 1, so that the first election is for 2."""
    conf = ConfState(voters=voters, learners=learners)
    meta = SnapshotMeta(index=1, term=1, conf=conf)
    return MemoryLog(HardState(term=1, commit=1), Snapshot(meta=meta))


def message(kind: MessageKind, **fields: Any) -> Message:
    """Return a message from member 2 to member 1 in term 2, unless told otherwise."""
    defaults: dict[str, Any] = {"to": 1, "sender": 2, "term": 2}
    return Message(kind=kind, **(defaults | fields))


def append(prev: tuple[int, int], *terms: int, **fields: Any) -> Message:
    """Return an append of entries of these terms after (term, index)."""
    term, index = prev
    entries = tuple(Entry(term=each, index=index + at) for at, each in enumerate(terms, start=1))
    return message(MessageKind.APPEND, log_term=term, index=index, entries=entries, **fields)


class Lone:
    """One member whose peers are the test."""

    def __init__(self, log: MemoryLog | None = None, **options: Any) -> None:
        self.log = log or first_log((1, 2, 3))
        self.raft = make_member(log=self.log, **options)

    def drain(self) -> list[Message]:
        """Do what is due until nothing is left to do; return the messages to peers."""
        sent: list[Message] = []
        while self.raft.has_ready():
            ready = self.raft.ready()
            _store(self.log, ready)
            sent += ready.messages
            self.raft.advance()
        return sent

    def step(self, *messages: Message) -> list[Message]:
        """Take in messages; return what is sent."""
        for each in messages:
            self.raft.step(each)
        return self.drain()

    def lead(self) -> list[Message]:
        """Win an election by the vote of member 2; return what is sent."""
        self.raft.campaign()
        self.drain()
        return self.step(message(MessageKind.VOTE_REPLY, term=self.status().hard_state.term))

    def status(self) -> Status:
        """Return the member's view."""
        return self.raft.status()


def _store(log: MemoryLog, ready: Ready) -> None:
    if ready.hard_state:
        log.set_hard_state(ready.hard_state)
    if ready.snapshot:
        log.apply_snapshot(ready.snapshot)
    log.append(ready.entries)


class Members:
    """A cluster; messages are delivered in order unless `is_lost` says otherwise.

    After a change of membership a snapshot is made, unless the log reaches back to its beginning.
    """

    def __init__(self, *, voters: int = 3, learners: tuple[int, ...] = (), **options: Any) -> None:
        ids = tuple(range(1, voters + 1))
        self.options = options
        self.logs = {id_: first_log(ids, learners) for id_ in ids + learners}
        self.members = {id_: make_member(id_, log=log, **options) for id_, log in self.logs.items()}
        self.applied: dict[int, list[Entry]] = {id_: [] for id_ in self.members}
        self.reads: dict[int, list[tuple[int, bytes]]] = {id_: [] for id_ in self.members}
        self.sent: list[Message] = []
        self.makes_snapshots = True
        self.is_lost: Callable[[Message], bool] = lambda _message: False

    def __getitem__(self, id_: int) -> Raft:
        return self.members[id_]

    def add(self, id_: int, log: MemoryLog | None = None) -> None:
        """Add a member that knows nothing, or what is in the log given."""
        self.logs[id_] = log or MemoryLog()
        self.members[id_] = make_member(id_, log=self.logs[id_], **self.options)
        self.applied[id_] = []
        self.reads[id_] = []

    def restart(self, id_: int) -> None:
        """Start a member again from what it stored."""
        self.members[id_] = make_member(id_, log=self.logs[id_], **self.options)
        self.applied[id_] = []

    def cut_off(self, *ids: int) -> None:
        """Lose what goes from and to these members."""
        self.is_lost = lambda each: each.sender in ids or each.to in ids

    def heal(self) -> None:
        """Lose nothing any more."""
        self.is_lost = lambda _message: False

    def elect(self, id_: int) -> None:
        """Let a member win an election."""
        self[id_].campaign()
        self.settle()
        assert self[id_].status().soft_state.role is Role.LEADER

    def tick(self, id_: int, count: int = 1) -> None:
        """Let time pass for one member, and everything that follows happen."""
        for _ in range(count):
            self[id_].tick()
            self.settle()

    def settle(self) -> None:
        """Do what is due until nothing is left to do."""
        while sum(self._work(id_) for id_ in list(self.members)):
            pass

    def leaders(self) -> list[int]:
        """Return who believes to lead."""
        return [
            id_
            for id_, member in self.members.items()
            if member.status().soft_state.role is Role.LEADER
        ]

    def data(self, id_: int) -> list[bytes]:
        """Return the commands that a member applied."""
        return [
            entry.data
            for entry in self.applied[id_]
            if entry.data and entry.kind is EntryKind.NORMAL
        ]

    def _work(self, id_: int) -> bool:
        member = self.members[id_]
        if not member.has_ready():
            return False
        ready = member.ready()
        _store(self.logs[id_], ready)
        for entry in ready.committed:
            self.applied[id_].append(entry)
            if entry.kind is EntryKind.CHANGE:
                conf = member.apply_conf_change(decode_change(entry.data))
                if self.makes_snapshots and self.logs[id_].first_index() > 1:
                    self.logs[id_].create_snapshot(entry.index, conf, b"")
        self.reads[id_] += [(read.index, read.context) for read in ready.read_states]
        member.advance()
        for each in ready.messages:
            self.sent.append(each)
            if not self.is_lost(each) and each.to in self.members:
                with contextlib.suppress(MessageRefused):
                    self.members[each.to].step(each)
        return True
