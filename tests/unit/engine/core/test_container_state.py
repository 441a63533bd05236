"""The table of a container's life, cell by cell."""

from __future__ import annotations

import itertools

import pytest

from api.errors import Conflict, NotModified
from engine.core.container_state import (
    TABLE,
    Event,
    NotRunning,
    State,
    Status,
    moved,
    next_status,
    refusal,
)

CELLS = list(itertools.product(Status, Event))


@pytest.mark.parametrize(("status", "event"), [cell for cell in CELLS if cell not in TABLE])
def test_a_missing_cell_is_an_error_that_says_why(status: Status, event: Event) -> None:
    """No event is ever taken silently in a status that it does not belong to."""
    with pytest.raises((Conflict, NotModified)) as raised:
        next_status(status, event, "c1")

    assert raised.value.message


@pytest.mark.parametrize(("status", "event"), list(TABLE))
def test_a_filled_cell_leads_on(status: Status, event: Event) -> None:
    """Every cell of the table is reachable by its event."""
    assert TABLE[status, event] == next_status(status, event, "c1")


def test_every_status_but_created_can_be_reached_and_left() -> None:
    """There is no status to be stuck in, and none that is never used."""
    reached = set(TABLE.values()) | {Status.CREATED}
    left = {status for (status, _), target in TABLE.items() if target is not status}

    assert set(Status) == reached
    assert set(Status) == left


def test_starting_what_runs_is_not_modified() -> None:
    """Api 1.56: 304 container already started."""
    assert isinstance(refusal(Status.RUNNING, Event.START, "c1"), NotModified)


@pytest.mark.parametrize("status", [Status.CREATED, Status.EXITED, Status.DEAD, Status.REMOVING])
def test_signalling_what_does_not_run_names_the_container(status: Status) -> None:
    """Clients match on these words."""
    with pytest.raises(NotRunning, match="container c1 is not running"):
        next_status(status, Event.SIGNAL, "c1")


def test_removing_what_runs_tells_the_two_ways_out() -> None:
    """The words of `docker rm` on a running container."""
    words = "container is running: stop the container before removing or force remove"

    assert words == refusal(Status.RUNNING, Event.REMOVE, "c1").message


def test_moving_changes_the_fields_that_come_with_the_event() -> None:
    """An exit carries its code."""
    state = State(status=Status.RUNNING, pid=7)

    ended = moved(state, Event.EXIT, "c1", pid=0, exit_code=3)

    assert State(status=Status.EXITED, exit_code=3) == ended


@pytest.mark.parametrize("status", list(Status))
def test_back_off_counts_as_running_but_has_no_process(status: Status) -> None:
    """Api 1.56: Running is true while restarting."""
    state = State(status=status)

    assert state.is_running == (status in {"running", "paused", "restarting"})
    assert state.has_process == (status in {"running", "paused"})
