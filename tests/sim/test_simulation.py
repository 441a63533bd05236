"""Thousands of steps under faults keep Raft's promises, and broken promises are noticed."""

from __future__ import annotations

import os

import pytest

from tests.sim.broken import BREAKS, Break
from tests.sim.schedule.cluster import Cluster
from tests.sim.schedule.plan import harsh_plan_of, plan_of

# How many seeds a run of the suite takes; `make sim SEEDS=...` runs as many as you like.
SEEDS = int(os.environ.get("SKEP_SIM_SEEDS", "200"))
_PART = 25
# A broken rule needs the right misfortune to show; all of them show well before this many seeds.
_PATIENCE = 1000


@pytest.mark.parametrize("first", range(1, SEEDS + 1, _PART))
def test_schedule_keeps_every_rule(first: int) -> None:
    """See tests/sim/schedule/oracle.py for the rules; a failing seed replays exactly."""
    for seed in range(first, first + _PART):
        try:
            Cluster(seed, plan_of(seed)).run()
        except Exception as error:
            error.add_note(f"make sim FIRST={seed} SEEDS=1")
            raise


@pytest.mark.parametrize("broken", BREAKS, ids=lambda broken: broken.__name__)
def test_broken_consensus_is_noticed(broken: Break, monkeypatch: pytest.MonkeyPatch) -> None:
    """A simulation that finds nothing wrong with these would prove nothing."""
    assert any(_fails(seed, broken, monkeypatch) for seed in range(1, _PATIENCE))


def test_equal_seeds_give_equal_runs() -> None:
    """What a seed found can be found again."""
    runs = [Cluster(7, plan_of(7)) for _ in range(2)]
    for run in runs:
        run.run()

    assert runs[0].oracle.history == runs[1].oracle.history
    assert runs[0].oracle.last_committed > 100


def _fails(seed: int, broken: Break, patch: pytest.MonkeyPatch) -> bool:
    with patch.context() as within:
        plan = broken(within, harsh_plan_of(seed))
        try:
            Cluster(seed, plan).run()
        except Exception:
            return True
    return False
