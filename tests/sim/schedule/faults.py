"""Misfortune: crashes, failing disks, cut links and bad weather."""

from __future__ import annotations

from random import Random

from tests.sim.schedule.member import Member
from tests.sim.schedule.network import FAIR, Network, Weather
from tests.sim.schedule.plan import Plan


class Faults:
    """What befalls a cluster, one unit of time after the other."""

    def __init__(
        self, chance: Random, plan: Plan, network: Network, members: dict[int, Member]
    ) -> None:
        self._chance = chance
        self._chances = plan.chances
        self._usual = plan.weather
        self._network = network
        self._members = members

    def strike(self) -> None:
        """Do what this unit of time brings."""
        self._crash_some()
        self._restart_some()
        self._change_network()

    def end(self) -> None:
        """Make peace: whole links, sound disks, everybody up."""
        self._network.weather, self._network.cut = FAIR, set()
        for member in self._members.values():
            member.disk.failing = False
            if not member.is_up:
                member.start()

    def _crash_some(self) -> None:
        numbers = list(self._members)
        struck: list[int] = []
        if self._happens(self._chances.crash):
            struck = [self._chance.choice(numbers)]
        if self._happens(self._chances.crash / 8):
            struck = numbers
        for number in struck:
            member = self._members[number]
            member.crash(self._chance.randrange(member.disk.unsynced + 1))
        if self._happens(self._chances.disk_failure):
            self._members[self._chance.choice(numbers)].disk.failing = True

    def _restart_some(self) -> None:
        for member in self._members.values():
            if not member.is_up and self._happens(self._chances.restart):
                member.disk.failing = False
                member.start()

    def _change_network(self) -> None:
        if self._happens(self._chances.partition):
            self._part()
        if self._happens(self._chances.heal):
            self._network.cut = set()
        if self._happens(self._chances.storm):
            self._network.weather = Weather(
                loss=self._chance.choice([0.0, 0.1, 0.3]),
                doubling=self._chance.choice([0.0, 0.2]),
                delay=self._chance.choice([3, 20, 60]),
                straggling=self._chance.choice([0.0, 0.05]),
            )
        elif self._happens(self._chances.heal):
            self._network.weather = self._usual

    def _part(self) -> None:
        """Part the members in two, in both directions or in one; or take single links away."""
        side = {number for number in self._members if self._happens(0.5)}
        others = set(self._members) - side
        cut = {(one, other) for one in side for other in others}
        if self._happens(0.6):
            cut |= {(other, one) for one in side for other in others}
        if self._happens(0.2):
            cut = {pair for pair in sorted(cut) if self._happens(0.5)}
        self._network.cut = cut

    def _happens(self, chance: float) -> bool:
        return self._chance.random() < chance
