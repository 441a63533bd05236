"""When certificates are renewed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from agent.core.renewal import renewal_time

MADE = datetime(2030, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("life", "chance", "after"),
    [
        (timedelta(days=90), 0.0, timedelta(days=45)),
        (timedelta(days=90), 1.0, timedelta(days=72)),
        (10 * HOUR, 0.0, 5 * HOUR),
    ],
)
def test_renewal_is_due_after_half_of_the_life_and_not_for_all_at_once(
    life: timedelta, chance: float, after: timedelta
) -> None:
    assert MADE + after == renewal_time(MADE - HOUR, MADE + life, chance)


@pytest.mark.parametrize("chance", [0.0, 0.5, 0.999])
def test_shortest_certificate_is_not_due_at_once_and_not_late(chance: float) -> None:
    due = renewal_time(MADE - HOUR, MADE + HOUR, chance)

    assert MADE + timedelta(minutes=15) <= due <= MADE + timedelta(minutes=50)
