"""Waits between attempts double up to a limit, less some chance."""

from __future__ import annotations

from manager.core.backoff import Backoff


def test_waits_double_up_to_the_limit() -> None:
    backoff = Backoff(first_s=1, limit_s=5)

    assert [1, 2, 4, 5, 5] == [backoff.delay_s(failures, chance=0) for failures in range(1, 6)]
    assert 5 == backoff.delay_s(10**6, chance=0)


def test_chance_takes_off_up_to_half() -> None:
    assert 2 == Backoff(first_s=4, limit_s=9).delay_s(1, chance=0.999_999).__round__()
