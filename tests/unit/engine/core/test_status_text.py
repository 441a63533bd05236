"""The Status column of `docker ps`."""

from __future__ import annotations

import pytest

from engine.core.container_state import State, Status
from engine.core.status_text import duration_text, status_text

SECOND = 1_000_000_000
HOUR = 3600 * SECOND


@pytest.mark.parametrize(
    ("span_ns", "text"),
    [
        (0, "Less than a second"), (SECOND, "1 second"), (59 * SECOND, "59 seconds"),
        (60 * SECOND, "About a minute"), (120 * SECOND, "2 minutes"),
        (HOUR, "About an hour"), (2 * HOUR, "2 hours"), (47 * HOUR, "47 hours"),
        (48 * HOUR, "2 days"), (14 * 24 * HOUR, "2 weeks"), (61 * 24 * HOUR, "2 months"),
        (731 * 24 * HOUR, "2 years"), (-5, "Less than a second"),
    ],
)  # fmt: skip
def test_spans_are_said_as_people_say_them(span_ns: int, text: str) -> None:
    """One unit, rounded."""
    assert text == duration_text(span_ns)


@pytest.mark.parametrize(
    ("state", "health", "text"),
    [
        (State(), "", "Created"),
        (State(status=Status.RUNNING, started_ns=SECOND), "", "Up 4 seconds"),
        (State(status=Status.RUNNING, started_ns=SECOND), "healthy", "Up 4 seconds (healthy)"),
        (
            State(status=Status.RUNNING, started_ns=SECOND), "starting",
            "Up 4 seconds (health: starting)",
        ),
        (State(status=Status.PAUSED, started_ns=SECOND), "", "Up 4 seconds (Paused)"),
        (
            State(status=Status.RESTARTING, exit_code=1, finished_ns=3 * SECOND), "",
            "Restarting (1) 2 seconds ago",
        ),
        (
            State(status=Status.EXITED, exit_code=137, finished_ns=3 * SECOND), "",
            "Exited (137) 2 seconds ago",
        ),
        (State(status=Status.REMOVING), "", "Removal In Progress"),
        (State(status=Status.DEAD), "", "Dead"),
    ],
)  # fmt: skip
def test_status_is_told_as_docker_tells_it(state: State, health: str, text: str) -> None:
    """At second five."""
    assert text == status_text(state, health, 5 * SECOND)
