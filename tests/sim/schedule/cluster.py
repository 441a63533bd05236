"""Members, clients and misfortune, all from one seed."""

from __future__ import annotations

from random import Random

import msgspec

from manager.core.raft.messages import ConfState, Message, MessageKind, Snapshot, SnapshotMeta
from manager.core.raft.status import Role
from tests.sim.schedule.clients import Clients
from tests.sim.schedule.disk import Disk
from tests.sim.schedule.faults import Faults
from tests.sim.schedule.machine import MachineState
from tests.sim.schedule.member import Member
from tests.sim.schedule.network import Network
from tests.sim.schedule.oracle import Oracle, RuleBroken
from tests.sim.schedule.plan import Plan

_TICK = 10  # units of time, give or take the skew of a clock
_SETTLE_UNITS = 12_000
# Members begin with a common snapshot, as those that an earlier life of the cluster left behind.
_FIRST_STATE = msgspec.msgpack.encode(MachineState(index=1))


class Cluster:
    """A run of one plan with one seed; equal arguments give equal runs."""

    def __init__(self, seed: int, plan: Plan) -> None:
        self._chance = Random(seed)
        self._plan = plan
        self.oracle = Oracle()
        self._network = Network(self._chance, plan.weather)
        self._now = 0
        self._members: dict[int, Member] = {}
        self._next_tick: dict[int, int] = {}
        self._period: dict[int, int] = {}
        self._faults = Faults(self._chance, plan, self._network, self._members)
        self._clients = Clients(self._chance, plan.chances, self.oracle, lambda: self._add(None))
        conf = ConfState(voters=tuple(range(1, plan.members + 1)))
        first = Snapshot(SnapshotMeta(index=1, term=1, conf=conf), _FIRST_STATE)
        self.oracle.begin(1, b"", conf)
        for _ in conf.voters:
            self._add(first)

    def run(self) -> None:
        """Let the plan happen, then peace. Errors: RuleBroken, AssertionError."""
        for _ in range(self._plan.units):
            self._faults.strike()
            up = [member for member in self._members.values() if member.is_up]
            if up:
                self._clients.ask(up)
            self._pass_unit()
        self._settle()

    def _settle(self) -> None:
        """Make peace; then there must be a leader, progress, and one history everywhere."""
        key: bytes | None = None
        for _ in range(_SETTLE_UNITS):
            self._faults.end()
            self._pass_unit()
            leader = self._leader()
            if leader is not None and key is None:
                key = self._clients.propose(leader, b"last")
            if key is not None and self._is_everywhere(key):
                self._check_end()
                return
            if self._now % 500 == 0:
                key = None  # it may have been lost with its leader
        raise RuleBroken("no agreement after the faults ended")

    def _add(self, first: Snapshot | None) -> int:
        number = len(self._members) + 1
        chance = Random(self._chance.random())
        member = Member(number, Disk(first), self._plan.habits, self.oracle, chance, self._post)
        self._members[number] = member
        self._period[number] = self._chance.randint(_TICK - 2, _TICK + 3)
        self._next_tick[number] = self._now + self._chance.randrange(_TICK)
        member.start()
        return number

    def _pass_unit(self) -> None:
        self._now += 1
        random = self._chance.random
        for message in self._network.arrived(self._now):
            self._arrive(message)
        for number, member in list(self._members.items()):
            if self._now >= self._next_tick[number]:
                self._next_tick[number] = self._now + self._period[number]
                member.tick()
            for _ in range(3):
                if random() < 0.8:
                    member.work()

    def _arrive(self, message: Message) -> None:
        receiver = self._members[message.to]
        sender = self._members[message.sender].raft
        comes_through = receiver.is_up and self._network.reaches(message)
        if message.kind is MessageKind.SNAPSHOT and sender is not None:
            sender.report_snapshot(message.to, comes_through)
        if comes_through:
            receiver.deliver(message)

    def _post(self, message: Message) -> None:
        if self._network.send(self._now, message):
            return
        sender = self._members[message.sender].raft
        if sender is None:
            return
        if message.kind is MessageKind.SNAPSHOT:
            sender.report_snapshot(message.to, False)  # noqa: FBT003 - the core's own verb
        elif self._chance.random() < 0.5:
            sender.report_unreachable(message.to)

    def _leader(self) -> Member | None:
        leading = [m for m in self._members.values() if m.is_up and m.role is Role.LEADER]
        return max(leading, key=lambda m: m.machine.state.index, default=None)

    def _taking_part(self) -> list[Member]:
        conf = self.oracle.conf_at(self.oracle.last_committed)
        numbers = [*conf.voters, *conf.voters_outgoing, *conf.learners]
        return [self._members[number] for number in numbers]

    def _is_everywhere(self, key: bytes) -> bool:
        return all(key in member.machine.state.keys for member in self._taking_part())

    def _check_end(self) -> None:
        # all have one history, some of them a part of it that is longer
        furthest = max(self._taking_part(), key=lambda member: member.machine.state.index)
        keys = furthest.machine.state.keys
        lost = self.oracle.acknowledged - keys
        if lost:
            raise RuleBroken(f"acknowledged and lost: {sorted(lost)}")
        risen = self._clients.refused & keys
        if risen:
            raise RuleBroken(f"refused and applied all the same: {sorted(risen)}")
