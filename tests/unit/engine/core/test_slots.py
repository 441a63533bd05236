"""Slots of an address: never a gap, weights obeyed, and no more moved than has to."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from engine.core.slots import Slots

WANTED = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 4))


@given(st.lists(WANTED, max_size=8))
def test_slots_hold_what_is_wanted_and_a_change_tells_all_that_moved(
    steps: list[dict[str, int]],
) -> None:
    """What a reader makes of the changes is what is in the slots."""
    slots = Slots()
    seen: dict[int, str] = {}

    for wanted in steps:
        change = slots.change(wanted)
        assert change.size_before == len(seen)
        for number in change.cleared:
            del seen[number]
        seen.update(change.written)
        assert tuple(seen[number] for number in range(len(seen))) == slots.targets
        assert Counter(slots.targets) == Counter({k: v for k, v in wanted.items() if v})


@given(st.lists(WANTED, max_size=8))
def test_weights_of_some_leave_the_others_alone(steps: list[dict[str, int]]) -> None:
    """A reader of the changes sees what all the steps together say."""
    slots = Slots()
    seen: dict[int, str] = {}
    weights: dict[str, int] = {}

    for step in steps:
        change = slots.update(step)
        weights.update(step)
        for number in change.cleared:
            del seen[number]
        seen.update(change.written)
        assert tuple(seen[number] for number in range(len(seen))) == slots.targets
        assert Counter(slots.targets) == Counter({k: v for k, v in weights.items() if v})


def test_a_target_more_costs_one_slot_however_many_there_are() -> None:
    """The cost of a change is that of the change, not of the service's size."""
    slots = Slots()
    many = {f"10.0.0.{number}": 1 for number in range(1, 201)}
    slots.change(many)

    change = slots.change({**many, "10.0.1.1": 1})

    assert (dict(change.written), change.cleared) == ({200: "10.0.1.1"}, ())


def test_a_target_that_goes_is_replaced_by_the_last() -> None:
    """One slot is written and one cleared."""
    slots = Slots()
    slots.change({"a": 1, "b": 1, "c": 1, "d": 1})

    change = slots.change({"a": 1, "c": 1, "d": 1})

    assert (dict(change.written), change.cleared) == ({1: "d"}, (3,))


def test_a_target_in_place_of_another_takes_its_slot() -> None:
    """As every step of a rolling update does."""
    slots = Slots()
    slots.change({"a": 1, "b": 1})

    change = slots.change({"a": 1, "c": 1})

    assert (dict(change.written), change.cleared) == ({1: "c"}, ())
