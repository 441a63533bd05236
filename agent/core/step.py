r"""What an agent does next with a task: from where the task is, and where it should go.

    state \ wish       HOLD         RUN          END
    new … assigned     accept       accept       shut down
    accepted           to prepare   to prepare   shut down
    preparing          prepare      prepare      shut down
    ready              nothing      to start     shut down
    starting           start        start        shut down
    running            wait         wait         shut down
    complete …         nothing      nothing      nothing

An observed state only moves forward. A step that fails ends the task: rejected before it started,
failed from then on.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from api.types.tasks import TaskState


class Wish(Enum):
    """What the managers want of a task."""

    HOLD = auto()  # be ready, but wait: a restart delay has not passed
    RUN = auto()
    END = auto()


class Call(Enum):
    """What is asked of the controller of a task."""

    NOTHING = auto()
    MARK = auto()  # the state moves on by itself
    PREPARE = auto()
    START = auto()
    WAIT = auto()
    SHUT_DOWN = auto()


@dataclass(frozen=True, slots=True)
class Step:
    """The call, and the state and words of the task when it has gone well."""

    call: Call
    state: TaskState
    message: str


_NOTHING = None
_ACCEPT = Step(Call.MARK, TaskState.ACCEPTED, "accepted")
_TO_PREPARE = Step(Call.MARK, TaskState.PREPARING, "preparing")
_PREPARE = Step(Call.PREPARE, TaskState.READY, "prepared")
_TO_START = Step(Call.MARK, TaskState.STARTING, "starting")
_START = Step(Call.START, TaskState.RUNNING, "started")
_WAIT = Step(Call.WAIT, TaskState.COMPLETE, "finished")
_SHUT_DOWN = Step(Call.SHUT_DOWN, TaskState.SHUTDOWN, "shutdown")

_TABLE: dict[TaskState, dict[Wish, Step | None]] = {
    TaskState.NEW: {Wish.HOLD: _ACCEPT, Wish.RUN: _ACCEPT, Wish.END: _SHUT_DOWN},
    TaskState.PENDING: {Wish.HOLD: _ACCEPT, Wish.RUN: _ACCEPT, Wish.END: _SHUT_DOWN},
    TaskState.ASSIGNED: {Wish.HOLD: _ACCEPT, Wish.RUN: _ACCEPT, Wish.END: _SHUT_DOWN},
    TaskState.ACCEPTED: {Wish.HOLD: _TO_PREPARE, Wish.RUN: _TO_PREPARE, Wish.END: _SHUT_DOWN},
    TaskState.PREPARING: {Wish.HOLD: _PREPARE, Wish.RUN: _PREPARE, Wish.END: _SHUT_DOWN},
    TaskState.READY: {Wish.HOLD: _NOTHING, Wish.RUN: _TO_START, Wish.END: _SHUT_DOWN},
    TaskState.STARTING: {Wish.HOLD: _START, Wish.RUN: _START, Wish.END: _SHUT_DOWN},
    TaskState.RUNNING: {Wish.HOLD: _WAIT, Wish.RUN: _WAIT, Wish.END: _SHUT_DOWN},
    TaskState.COMPLETE: dict.fromkeys(Wish),
    TaskState.SHUTDOWN: dict.fromkeys(Wish),
    TaskState.FAILED: dict.fromkeys(Wish),
    TaskState.REJECTED: dict.fromkeys(Wish),
    TaskState.REMOVE: dict.fromkeys(Wish),
    TaskState.ORPHANED: dict.fromkeys(Wish),
}


def wish_of(desired: TaskState) -> Wish:
    """Return what a desired state comes to on a node. A job's tasks are wanted complete: they run.

    States before READY are no place to wait in on a node; a task that is held there is ready.
    """
    if desired <= TaskState.READY:
        return Wish.HOLD
    return Wish.RUN if desired <= TaskState.COMPLETE else Wish.END


def step(state: TaskState, desired: TaskState) -> Step | None:
    """Return what to do with a task in this state; None when there is nothing to do."""
    return _TABLE[state][wish_of(desired)]


def failed(state: TaskState) -> TaskState:
    """Return the state that a task ends in when a step fails that was taken in `state`."""
    return TaskState.REJECTED if state < TaskState.STARTING else TaskState.FAILED


def is_over(state: TaskState) -> bool:
    """Tell whether nothing more becomes of a task in this state."""
    return state >= TaskState.COMPLETE
