"""The life of an exec instance: one table, a missing cell is an error in Docker's words."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from api.errors import Conflict


class ExecPhase(StrEnum):
    """Where an instance is; a finished one can never be started again."""

    CREATED = "created"
    STARTING = "starting"
    RUNNING = "running"
    EXITED = "exited"


class ExecEvent(StrEnum):
    """What happens to an instance."""

    START = "start"
    STARTED = "started"
    FAILED = "failed"
    EXITED = "exited"


_TABLE: dict[tuple[ExecPhase, ExecEvent], ExecPhase] = {
    (ExecPhase.CREATED, ExecEvent.START): ExecPhase.STARTING,
    (ExecPhase.STARTING, ExecEvent.STARTED): ExecPhase.RUNNING,
    (ExecPhase.STARTING, ExecEvent.FAILED): ExecPhase.EXITED,
    (ExecPhase.RUNNING, ExecEvent.EXITED): ExecPhase.EXITED,
}


class ExecState(Struct, frozen=True):
    """The phase with what is known in it; `exit_code` is None until the process ended."""

    phase: ExecPhase = ExecPhase.CREATED
    pid: int = 0
    exit_code: int | None = None


def advance(
    exec_id: str, state: ExecState, event: ExecEvent, *, pid: int = 0, exit_code: int | None = None
) -> ExecState:
    """Return the state after an event.

    Errors:  Conflict when a start comes twice; AssertionError for what the engine itself must
    not do.
    """
    phase = _TABLE.get((state.phase, event))
    if phase is None:
        if event is ExecEvent.START:
            if state.phase is ExecPhase.EXITED:
                raise Conflict(f"Error: Exec command {exec_id} has already run")
            raise Conflict(f"Error: Exec command {exec_id} is already running")
        raise AssertionError(f"exec {exec_id}: {event} while {state.phase}")
    match phase:
        case ExecPhase.RUNNING:
            return replace(state, phase=phase, pid=pid)
        case ExecPhase.EXITED:
            return replace(state, phase=phase, exit_code=exit_code)
        case _:
            return replace(state, phase=phase)
