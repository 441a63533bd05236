"""Typing errors are free, guessing is not."""

from __future__ import annotations

import pytest

from manager.core.ca.unlock_rate import FIRST_TRY, TooManyTries, UnlockRate


def failed(times: int, now_s: float = 0.0) -> UnlockRate:
    """Return the state after so many wrong keys."""
    rate = FIRST_TRY
    for _ in range(times):
        rate = rate.after_failure(now_s)
    return rate


def test_a_few_wrong_keys_cost_no_wait() -> None:
    failed(2).check(0.0)


@pytest.mark.parametrize(("times", "wait_s"), [(3, 1), (4, 2), (6, 8), (9, 60), (5000, 60)])
def test_wait_doubles_up_to_a_minute(times: int, wait_s: float) -> None:
    rate = failed(times)

    with pytest.raises(TooManyTries):
        rate.check(wait_s - 0.1)
    rate.check(wait_s)


def test_wait_is_told_to_who_tries() -> None:
    with pytest.raises(TooManyTries, match="try again in 8 s"):
        failed(6).check(0.0)
