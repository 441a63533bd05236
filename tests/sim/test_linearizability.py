"""The checker of histories: right on known ones, and as an exhaustive search says on small ones."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sim.linearizability import NEVER, Operation, Undecided, Violation, check


def read(value: int, begin: float, end: float, key: str = "a") -> Operation:
    return Operation("read", key, value, begin, end)


def write(value: int, begin: float, end: float = NEVER, key: str = "a") -> Operation:
    return Operation("write", key, value, begin, end)


def swap(
    expected: int, value: int, begin: float, end: float = NEVER, *, is_done: bool | None = None
) -> Operation:
    return Operation("swap", "a", value, begin, end, expected, is_done)


@pytest.mark.parametrize(
    "history",
    [
        [],
        [read(0, 0, 1)],
        [write(1, 0, 1), read(1, 2, 3)],
        [write(1, 0, 3), read(0, 1, 2)],
        [write(1, 0, 3), read(1, 1, 2)],
        [write(1, 0, 5), write(2, 0, 5), read(2, 1, 2), read(1, 3, 4)],
        [write(1, 0), read(0, 1, 2), read(1, 3, 4)],
        [write(1, 0), read(0, 1, 2), read(0, 3, 4)],
        [write(1, 0), write(2, 1, 2), read(2, 3, 4), read(1, 5, 6), read(1, 7, 8)],
        [swap(0, 1, 0, 1, is_done=True), swap(0, 2, 2, 3, is_done=False), read(1, 4, 5)],
        [swap(0, 1, 0), read(1, 1, 2)],
        [swap(5, 1, 0), read(0, 1, 2), write(5, 2, 3), read(1, 4, 5)],
        [swap(0, 1, 0), swap(0, 2, 1, 2, is_done=True), read(2, 3, 4)],
        [write(1, 0, 1, key="a"), write(2, 0, 1, key="b"), read(1, 2, 3), read(2, 2, 3, key="b")],
    ],
)
def test_explicable_histories_pass(history: list[Operation]) -> None:
    assert check(history) is None


@pytest.mark.parametrize(
    "history",
    [
        [read(1, 0, 1)],
        [write(1, 0, 1), read(0, 2, 3)],
        [write(1, 0, 1), write(2, 2, 3), read(1, 4, 5)],
        [write(1, 0, 9), read(1, 1, 2), read(0, 3, 4)],
        [write(1, 0), read(1, 1, 2), read(0, 3, 4)],
        [write(1, 5), read(1, 1, 2)],
        [write(1, 0, 9), write(2, 0, 9), read(2, 1, 2), read(1, 3, 4), read(2, 5, 6)],
        [swap(0, 1, 0, 1, is_done=True), swap(0, 2, 2, 3, is_done=True)],
        [swap(0, 1, 0, 4, is_done=True), swap(0, 2, 0, 4, is_done=True)],
        [swap(0, 1, 0, 1, is_done=False)],
        [swap(5, 1, 0), read(1, 1, 2)],
        [write(1, 0, 1, key="b"), read(1, 2, 3)],
    ],
)
def test_impossible_histories_are_found(history: list[Operation]) -> None:
    """Lost updates, stale reads, values out of nowhere, split brains."""
    assert isinstance(check(history), Violation)


def test_violation_names_the_register_and_what_happened_there() -> None:
    stale = [write(1, 0, 1, key="b"), read(0, 2, 3, key="b")]

    found = check([write(9, 0, 1), *stale])

    assert found is not None
    assert "b" == found.key
    assert set(stale) == set(found.operations)


def test_search_that_takes_too_long_is_given_up() -> None:
    with pytest.raises(Undecided):
        check([write(value, 0, 100) for value in range(1, 30)] + [read(99, 1, 100)], limit=1000)


def brute_force(history: list[Operation]) -> bool:
    """Tell whether some order explains the history, by trying all."""
    must = [each for each in history if each.end != NEVER]
    may = [each for each in history if each.end == NEVER]
    chosen = (
        must + list(some)
        for count in range(len(may) + 1)
        for some in itertools.combinations(may, count)
    )
    return any(
        explains(order) for operations in chosen for order in itertools.permutations(operations)
    )


def explains(order: tuple[Operation, ...]) -> bool:
    """Tell whether an order keeps to real time and to what a register does."""
    state = 0
    latest_begin = float("-inf")
    for operation in order:
        following = operation.after(state)
        if operation.end < latest_begin or following is None:
            return False
        latest_begin = max(latest_begin, operation.begin)
        state = following
    return True


@st.composite
def operations(draw: st.DrawFn) -> Operation:
    """Draw an operation on a register with few values, at few moments."""
    begin = draw(st.integers(0, 6))
    kind = draw(st.sampled_from(["read", "write", "swap"]))
    end = begin + 1 + draw(st.integers(0, 4)) + 0.5
    value, expected = draw(st.integers(0, 2)), draw(st.integers(0, 2))
    if kind == "read":
        return read(value, begin, end)
    if draw(st.integers(0, 3)) == 0:
        end = NEVER
    if kind == "write":
        return write(value, begin, end)
    is_done = None if end == NEVER else draw(st.booleans())
    return swap(expected, value, begin, end, is_done=is_done)


@settings(max_examples=300, deadline=None)
@given(st.lists(operations(), max_size=6))
def test_small_histories_are_judged_as_by_trying_everything(history: list[Operation]) -> None:
    assert brute_force(history) == (check(history) is None)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(operations(), st.floats(0, 1.5), st.floats(0, 1.5)), max_size=30))
def test_what_really_happened_in_some_order_always_passes(
    drawn: list[tuple[Operation, float, float]],
) -> None:
    """Operations take effect one after another, but seem to begin earlier and end later."""
    state, history = 0, []
    for moment, (operation, before, behind) in enumerate(drawn):
        begin, end = moment - before, moment + behind
        match operation.kind:
            case "read":
                history.append(read(state, begin, end))
            case "write":
                history.append(write(operation.value, begin, end))
                state = operation.value
            case "swap":
                can = state == operation.expected
                history.append(swap(operation.expected, operation.value, begin, end, is_done=can))
                state = operation.value if can else state

    assert check(history) is None
