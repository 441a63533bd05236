"""What is due when."""

from __future__ import annotations

from manager.loops.agenda import Agenda
from manager.loops.feed import NEVER


def test_subject_is_due_once_at_its_earliest_moment() -> None:
    agenda = Agenda()
    agenda.add("a", 5.0)
    agenda.add("a", 3.0)
    agenda.add("a", 9.0)

    assert [] == agenda.take(2.0)
    assert 1.0 == agenda.pause_s(2.0)
    assert ["a"] == agenda.take(3.0)
    assert [] == agenda.take(10.0)
    assert NEVER == agenda.pause_s(10.0)


def test_what_took_long_rests_and_is_not_lost() -> None:
    """However often a large service changes, it does not take the processor for itself."""
    agenda = Agenda()
    agenda.rest("big", began_s=1.0, now_s=1.5)
    agenda.add("big")
    agenda.add("small")

    assert ["small"] == agenda.take(1.6)
    assert 3.0 < agenda.pause_s(0.0) <= 3.5
    assert ["big"] == agenda.take(3.5)


def test_what_was_quick_does_not_rest() -> None:
    agenda = Agenda()
    agenda.rest("a", began_s=1.0, now_s=1.0005)
    agenda.add("a")

    assert ["a"] == agenda.take(1.0005)
