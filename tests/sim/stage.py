"""A cluster that is led by hand: every message waits until the test lets it through."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random

import msgspec

from manager.core.raft.messages import ConfState, Message, MessageKind, Snapshot, SnapshotMeta
from manager.core.raft.raft import Raft
from manager.core.raft.status import Role
from tests.sim.schedule.disk import Disk
from tests.sim.schedule.machine import MachineState
from tests.sim.schedule.member import Habits, Member
from tests.sim.schedule.oracle import Oracle

Which = Callable[[Message], bool]

_ROUNDS = 200
_SILENCE_TICKS = 25  # two checks of the quorum
_ELECTION = frozenset(
    {
        MessageKind.PRE_VOTE,
        MessageKind.PRE_VOTE_REPLY,
        MessageKind.VOTE,
        MessageKind.VOTE_REPLY,
    }
)


class Stage:
    """Members 1 to `count`, with an oracle that sees all."""

    def __init__(self, count: int) -> None:
        self.oracle = Oracle()
        self.waiting: list[Message] = []
        conf = ConfState(voters=tuple(range(1, count + 1)))
        state = msgspec.msgpack.encode(MachineState(index=1))
        first = Snapshot(SnapshotMeta(index=1, term=1, conf=conf), state)
        self.oracle.begin(1, b"", conf)
        self.members = {
            number: Member(
                number, Disk(first), Habits(dump_every=1000), self.oracle, Random(number),
                self.waiting.append,
            )
            for number in conf.voters
        }  # fmt: skip
        for member in self.members.values():
            member.start()

    def elect(self, candidate: int, voters: Iterable[int]) -> None:
        """Let one member win among some; nothing but the election goes on."""
        among = {candidate, *voters}
        for number in among:
            self._leave_leader(number)
        self.waiting.clear()
        for _ in range(3):  # it may have to hear of newer terms first
            if self.members[candidate].role is not Role.LEADER:
                self._raft(candidate).campaign()
                self.run(lambda m: {m.sender, m.to} <= among and m.kind in _ELECTION)
        assert self.members[candidate].role is Role.LEADER

    def beat(self, leader: int) -> None:
        """Let a leader send heartbeats, by whose answers it finds out who misses what."""
        self._raft(leader).tick()

    def last_index(self, number: int) -> int:
        """Return the end of a member's log."""
        return self._raft(number).status().last_index

    def propose(self, leader: int, data: bytes) -> None:
        """Let a leader append an entry."""
        self._raft(leader).propose(data)
        self._work()

    def run(self, passes: Which) -> None:
        """Deliver what passes until nothing is left that does; the rest is lost."""
        for _ in range(_ROUNDS):
            self._work()
            let_through = [message for message in self.waiting if passes(message)]
            self.waiting.clear()
            if not let_through:
                return
            for message in let_through:
                self.members[message.to].deliver(message)

    def deliver(self, message: Message) -> None:
        """Deliver one message that a test kept."""
        self.members[message.to].deliver(message)
        self._work()

    def _work(self) -> None:
        for member in self.members.values():
            for _ in range(20):
                member.work()

    def _leave_leader(self, number: int) -> None:
        """Let a leader hear of nobody until it steps down, and a follower forget its leader."""
        raft = self._raft(number)
        if self.members[number].role is Role.LEADER:
            for _ in range(_SILENCE_TICKS):
                raft.tick()
        raft.forget_leader()
        self._work()

    def _raft(self, number: int) -> Raft:
        raft = self.members[number].raft
        assert raft is not None
        return raft
