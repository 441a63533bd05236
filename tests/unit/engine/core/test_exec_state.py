"""The life of an exec instance."""

from __future__ import annotations

import itertools

import pytest

from api.errors import Conflict
from engine.core.exec_state import ExecEvent, ExecPhase, ExecState, advance

LEGAL = {
    (ExecPhase.CREATED, ExecEvent.START): ExecPhase.STARTING,
    (ExecPhase.STARTING, ExecEvent.STARTED): ExecPhase.RUNNING,
    (ExecPhase.STARTING, ExecEvent.FAILED): ExecPhase.EXITED,
    (ExecPhase.RUNNING, ExecEvent.EXITED): ExecPhase.EXITED,
}


@pytest.mark.parametrize(("phase", "event"), [*itertools.product(ExecPhase, ExecEvent)])
def test_every_cell_of_the_table(phase: ExecPhase, event: ExecEvent) -> None:
    """A missing cell is an error, never a silent change."""
    state = ExecState(phase=phase)

    if (phase, event) in LEGAL:
        assert advance("x", state, event).phase is LEGAL[phase, event]
    else:
        with pytest.raises((Conflict, AssertionError)):
            advance("x", state, event)


def test_second_start_is_a_conflict_in_dockers_words() -> None:
    """Clients match the text."""
    with pytest.raises(Conflict, match="Error: Exec command x is already running"):
        advance("x", ExecState(phase=ExecPhase.RUNNING), ExecEvent.START)


def test_exit_keeps_pid_and_sets_code() -> None:
    """Inspect shows both after the end."""
    running = advance("x", ExecState(phase=ExecPhase.STARTING), ExecEvent.STARTED, pid=7)

    assert advance("x", running, ExecEvent.EXITED, exit_code=3) == ExecState(
        phase=ExecPhase.EXITED, pid=7, exit_code=3
    )
