"""Clients: they propose, read, change the membership and move the leadership, anywhere."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from manager.core.raft.errors import ChangeRefused, ProposalDropped
from manager.core.raft.messages import (
    ChangeKind,
    ConfChange,
    ConfChangeSingle,
    ConfState,
    Transition,
)
from manager.core.raft.status import Role
from tests.sim.schedule.member import Member
from tests.sim.schedule.oracle import Oracle
from tests.sim.schedule.plan import Chances


class Clients:
    """All of them; `refused` are the keys of proposals that certainly were not taken."""

    def __init__(
        self, chance: Random, chances: Chances, oracle: Oracle, new_member: Callable[[], int]
    ) -> None:
        self._chance = chance
        self._chances = chances
        self._oracle = oracle
        self._new_member = new_member
        self._asked = 0
        self.refused: set[bytes] = set()

    def ask(self, up: list[Member]) -> None:
        """Do what this unit of time brings; `up` are the members that run."""
        if self._happens(self._chances.proposal):
            self.propose(self._chance.choice(up), b"x" * self._chance.randrange(120))
        if self._happens(self._chances.read):
            self._read(self._chance.choice(up))
        if self._happens(self._chances.change):
            self._change(self._chance.choice(up))
        if self._happens(self._chances.transfer):
            for member in up:
                if member.raft is not None and member.role is Role.LEADER:
                    member.raft.transfer_leader(self._chance.choice(up).number)

    def propose(self, member: Member, data: bytes) -> bytes | None:
        """Propose; return the key, None if it was refused."""
        assert member.raft is not None
        key = self._next_key()
        try:
            member.raft.propose(data, key)
        except ProposalDropped:
            self.refused.add(key)
            return None
        member.own_keys.add(key)
        return key

    def _read(self, member: Member) -> None:
        assert member.raft is not None
        context = self._next_key()
        member.reads[context] = self._oracle.last_committed
        try:
            member.raft.read_index(context)
        except ProposalDropped:
            del member.reads[context]

    def _change(self, member: Member) -> None:
        assert member.raft is not None
        count = self._chance.choice([1, 1, 1, 2])
        conf = member.machine.conf
        steps = tuple(self._step(conf) for _ in range(count))
        if len({step.id for step in steps}) < count:
            return
        transition = self._chance.choice([Transition.AUTO, Transition.IMPLICIT])
        key = self._next_key()
        try:
            member.raft.propose_conf_change(ConfChange(steps, transition), key)
        except (ProposalDropped, ChangeRefused):
            self.refused.add(key)

    def _step(self, conf: ConfState) -> ConfChangeSingle:
        voters, learners = conf.voters, conf.learners
        if len(voters) > 1 and self._happens(0.4):
            return ConfChangeSingle(ChangeKind.REMOVE, self._chance.choice(voters))
        if learners and self._happens(0.6):
            return ConfChangeSingle(ChangeKind.ADD_VOTER, self._chance.choice(learners))
        if len(voters) > 2 and self._happens(0.2):
            return ConfChangeSingle(ChangeKind.ADD_LEARNER, self._chance.choice(voters))
        kind = ChangeKind.ADD_LEARNER if self._happens(0.5) else ChangeKind.ADD_VOTER
        return ConfChangeSingle(kind, self._new_member())

    def _next_key(self) -> bytes:
        self._asked += 1
        return b"%d" % self._asked

    def _happens(self, chance: float) -> bool:
        return self._chance.random() < chance
