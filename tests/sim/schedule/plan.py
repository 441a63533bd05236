"""What a seed may do."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random

from tests.sim.schedule.member import Habits
from tests.sim.schedule.network import FAIR, Weather


@dataclass(frozen=True, slots=True)
class Chances:
    """How likely something is in a unit of time."""

    proposal: float = 0.08
    change: float = 0.004
    read: float = 0.02
    transfer: float = 0.002
    crash: float = 0.003
    restart: float = 0.02
    disk_failure: float = 0.001
    partition: float = 0.003
    heal: float = 0.008
    storm: float = 0.002


_SPARED = ("change", "crash", "partition", "storm", "disk_failure", "transfer")


@dataclass(frozen=True, slots=True)
class Plan:
    """A cluster's size, its drivers, what may befall it, and the weather between storms."""

    members: int = 3
    units: int = 3_000
    habits: Habits = field(default_factory=Habits)
    chances: Chances = field(default_factory=Chances)
    weather: Weather = FAIR


def plan_of(seed: int) -> Plan:
    """Return a plan: sizes, drivers and kinds of misfortune differ from seed to seed."""
    chance = Random(f"plan {seed}")
    habits = Habits(
        is_async=chance.random() < 0.5,
        dump_every=chance.choice([8, 20, 60]),
        keep_entries=chance.choice([0, 3, 10]),
    )
    spared = {name: 0.0 for name in _SPARED if chance.random() < 0.25}
    return Plan(
        members=chance.choice([1, 2, 3, 3, 3, 4, 5, 5]),
        habits=habits,
        chances=replace(Chances(), **spared),
    )


def harsh_plan_of(seed: int) -> Plan:
    """Return a short plan full of what brings broken rules to light: lost leaders, old messages."""
    chance = Random(f"harsh {seed}")
    return Plan(
        members=chance.choice([3, 5]),
        units=1_500,
        habits=Habits(
            is_async=chance.random() < 0.5,
            dump_every=chance.choice([5, 1000]),
            keep_entries=chance.choice([0, 3]),
        ),
        chances=Chances(
            proposal=0.15,
            change=chance.choice([0.0, 0.0, 0.01]),
            read=0.05,
            transfer=chance.choice([0.0, 0.01]),
            crash=chance.choice([0.003, 0.01]),
            restart=0.03,
            disk_failure=0.0,
            partition=chance.choice([0.01, 0.02]),
            heal=chance.choice([0.008, 0.02]),
            storm=chance.choice([0.01, 0.03]),
        ),
    )
