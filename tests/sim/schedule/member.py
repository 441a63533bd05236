"""One simulated member: a core, its driver, its disk and state machine; it can crash anywhere."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

from manager.core.raft.config import Config
from manager.core.raft.errors import MessageRefused, ProposalDropped
from manager.core.raft.memory_log import MemoryLog
from manager.core.raft.messages import (
    LOCAL_APPEND,
    LOCAL_APPLY,
    Entry,
    EntryKind,
    HardState,
    Message,
    MessageKind,
    Snapshot,
    decode_change,
)
from manager.core.raft.raft import Raft
from manager.core.raft.ready import Ready
from manager.core.raft.status import Role
from tests.sim.schedule.disk import Disk, DiskFailed, Dump, Write, apply_write, copy_log
from tests.sim.schedule.machine import Machine
from tests.sim.schedule.oracle import Oracle


@dataclass(frozen=True, slots=True)
class Habits:
    """How the driver works. The last two are wrong when false: the checks must notice."""

    is_async: bool = False
    dump_every: int = 20
    keep_entries: int = 5
    persists_votes: bool = True
    syncs_before_sending: bool = True


class Member:
    """A process: `start`, `crash`, and in between ticks, messages and pieces of work."""

    def __init__(
        self,
        number: int,
        disk: Disk,
        habits: Habits,
        oracle: Oracle,
        chance: Random,
        send: Callable[[Message], None],
    ) -> None:
        self.number = number
        self.disk = disk
        self.machine = Machine()
        self.habits = habits
        self.role = Role.FOLLOWER
        self.own_keys: set[bytes] = set()
        self.reads: dict[bytes, int] = {}
        self._oracle = oracle
        self._chance = chance
        self._send = send
        self._raft: Raft | None = None
        self._may_have_work = False
        self._term = self._commit = 0
        self._stable = MemoryLog()
        self._view = MemoryLog()
        self._work: Iterator[None] | None = None
        self._appends: deque[Message] = deque()
        self._is_written = False
        self._applies: deque[Message] = deque()

    @property
    def raft(self) -> Raft | None:
        """The core, None when the process does not run; who takes it may give it work."""
        self._may_have_work = True
        return self._raft

    @property
    def is_up(self) -> bool:
        """Whether the process runs."""
        return self._raft is not None

    def start(self) -> None:
        """Read the disk and go on from there."""
        self._stable = self.disk.read()
        self._view = copy_log(self._stable)
        hard_state, conf = self._stable.initial_state()
        self._oracle.restarted(self.number, hard_state)
        self._term, self._commit = hard_state.term, hard_state.commit
        snapshot = self._stable.snapshot()
        self.machine = Machine()
        self.machine.restore(snapshot.data, conf)
        self.role = Role.FOLLOWER
        config = Config(
            id=self.number,
            random_below=self._chance.randrange,
            applied=snapshot.meta.index,
            max_message_bytes=200,
            max_inflight_messages=4,
            is_async_storage=self.habits.is_async,
            steps_down_on_removal=False,
        )
        self._raft = Raft(config, self._stable)
        self._may_have_work = True

    def crash(self, kept: int) -> None:
        """Lose memory, and what the disk had not synced but for `kept` transactions."""
        self._raft = None
        self.disk.crash(kept)
        self._work = None
        self._is_written = False
        self._appends.clear()
        self._applies.clear()
        self.own_keys.clear()
        self.reads.clear()

    def tick(self) -> None:
        """Let time pass; a leader that was removed hands over.

        If it stepped down at once, a voter that has not heard of the commit could depend on the
        vote of this member, whose log may be longer.
        """
        if self.raft is None:
            return
        self.raft.tick()
        voters = self.machine.conf.voters
        if self.role is Role.LEADER and voters and self.number not in voters:
            self.raft.transfer_leader(self._chance.choice(voters))

    def deliver(self, message: Message) -> None:
        """Take a message in; one that a correct member would not send changes nothing."""
        if self.raft is None:
            return
        before = copy_log(self._view) if message.kind is MessageKind.APPEND else None
        try:
            self.raft.step(message)
        except (MessageRefused, ProposalDropped):
            return
        if before is not None:
            self._oracle.truncated(message, before, self.raft.status().last_index)

    def work(self) -> None:
        """Do one piece of what is due; a crash may come before the next piece.

        A core that has no work gets none by itself: it is not asked again until somebody had it.
        """
        if self._raft is None or not self._may_have_work:
            return
        try:
            if self.habits.is_async:
                self._may_have_work = self._work_async(self._raft)
            else:
                if self._work is None:
                    self._may_have_work = self._raft.has_ready()
                    self._work = self._pieces(self._raft) if self._may_have_work else None
                if self._work is not None and next(self._work, self) is self:
                    self._work = None
        except DiskFailed:
            self.crash(self._chance.randrange(self.disk.unsynced + 1))

    # --- storage by the driver itself

    def _pieces(self, raft: Raft) -> Iterator[None]:
        ready = raft.ready()
        write = self._noted(ready)
        if not self.habits.syncs_before_sending:
            self._send_all(ready.messages)
        if write != Write():
            self.disk.write(write)
            yield
            if ready.must_sync or write.snapshot is not None:
                self.disk.sync()
                yield
            apply_write(self._stable, write)
        if self.habits.syncs_before_sending:
            self._send_all(ready.messages)
            yield
        self._restore(ready.snapshot)
        self._apply_all(raft, ready.committed)
        raft.advance()
        self._dump_if_due()

    # --- storage by workers

    def _work_async(self, raft: Raft) -> bool:
        """Do a piece of what one of the workers has to do; False when none has anything."""
        choices = [self._append_one] if self._appends else []
        if self._applies:
            choices.append(self._apply_one)
        if raft.has_ready():
            choices.append(self._hand_out)
        if choices:
            self._chance.choice(choices)(raft)
        return bool(choices)

    def _hand_out(self, raft: Raft) -> None:
        ready = raft.ready()
        self._noted(ready)
        for message in ready.messages:
            if message.to == LOCAL_APPEND:
                self._appends.append(message)
            elif message.to == LOCAL_APPLY:
                self._applies.append(message)
            else:
                self._send_all((message,))

    def _append_one(self, raft: Raft) -> None:
        """Write what is next, or sync what was written and then say so."""
        message = self._appends[0]
        hard_state = None
        if message.term:
            hard_state = HardState(message.term, self._kept(message.vote), message.commit)
        write = Write(hard_state, message.snapshot, message.entries)
        if not self._is_written:
            self._is_written = True
            self.disk.write(write)
            if not self.habits.syncs_before_sending:
                self._respond(raft, message)
            return
        self._is_written = False
        self._appends.popleft()
        if message.responses:
            self.disk.sync()
        apply_write(self._stable, write)
        self._restore(message.snapshot)
        if self.habits.syncs_before_sending:
            self._respond(raft, message)

    def _apply_one(self, raft: Raft) -> None:
        message = self._applies.popleft()
        self._apply_all(raft, message.entries)
        self._respond(raft, message)
        self._dump_if_due()

    def _respond(self, raft: Raft, message: Message) -> None:
        for response in message.responses:
            if response.to == self.number:
                with contextlib.suppress(MessageRefused):  # it was removed meanwhile
                    raft.step(response)
            else:
                self._send_all((response,))

    # --- what both have in common

    def _kept(self, vote: int) -> int:
        return vote if self.habits.persists_votes else 0

    def _noted(self, ready: Ready) -> Write:
        """Tell the oracle what a member took over; return what must be written."""
        hard_state = ready.hard_state
        if hard_state is not None:
            hard_state = HardState(hard_state.term, self._kept(hard_state.vote), hard_state.commit)
        write = Write(hard_state, ready.snapshot, ready.entries)
        apply_write(self._view, write)
        self._oracle.wrote(self._view, ready.entries)
        if hard_state is not None:
            self._term = hard_state.term
            self._oracle.commit_index(self.number, self._commit, hard_state.commit, self._view)
            self._commit = hard_state.commit
        self._oracle.committed(self.number, self._term, ready.committed)
        if ready.soft_state is not None:
            self.role = ready.soft_state.role
        if self.role is Role.LEADER:
            self._oracle.leads(self.number, self._term, self._view)
        for read in ready.read_states:
            self._oracle.read(self.reads.pop(read.context, 0), read.index)
        return write

    def _send_all(self, messages: Sequence[Message]) -> None:
        for message in messages:
            self._oracle.sent(message)
            self._send(message)

    def _restore(self, snapshot: Snapshot | None) -> None:
        if snapshot is not None:
            self.machine.restore(snapshot.data, snapshot.meta.conf)
            self._oracle.applied(self.number, self.machine.state)

    def _apply_all(self, raft: Raft, entries: Sequence[Entry]) -> None:
        for entry in entries:
            if entry.index <= self.machine.state.index:
                continue  # handed out before a snapshot came that holds it
            self.machine.apply(entry)
            if entry.kind is EntryKind.CHANGE:
                self.machine.conf = raft.apply_conf_change(decode_change(entry.data))
                self._oracle.changed(entry.index, self.machine.conf)
            if entry.key in self.own_keys:
                self._oracle.acknowledged.add(entry.key)
        if entries:
            self._oracle.applied(self.number, self.machine.state)

    def _dump_if_due(self) -> None:
        """Write the state down every so often, and whenever the membership is another one.

        A snapshot from before a member was added is of no use to that member: it refuses it.
        """
        index, meta = self.machine.state.index, self._stable.snapshot().meta
        if index - meta.index < self.habits.dump_every and self.machine.conf == meta.conf:
            return
        dump = Dump(index, self.machine.conf, self.machine.dump(), self.habits.keep_entries)
        write = Write(dump=dump)
        self.disk.write(write)
        self.disk.sync()
        apply_write(self._stable, write)
        apply_write(self._view, write)
