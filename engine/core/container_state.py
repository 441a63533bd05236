"""The life of a container as one table: which event leads from which status to which.

A cell that is missing is an error, in the words that clients know. Source of statuses: Engine API
1.56, ContainerState.Status; of the words: the reference's answers, which scripts match on.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from api.errors import Conflict, NotModified


class Status(StrEnum):
    """Where in its life a container is."""

    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    RESTARTING = "restarting"
    REMOVING = "removing"
    EXITED = "exited"
    DEAD = "dead"


class Event(StrEnum):
    """What may happen to a container.

    `start` asks whether it may start; `started` says that its process runs; `fail` that it could
    not be started; `exit` that it ended for good and `back_off` that it will be started again;
    `give_up` takes a container out of its back-off; `signal` asks whether there is a process to
    signal.
    """

    START = "start"
    STARTED = "started"
    FAIL = "fail"
    EXIT = "exit"
    BACK_OFF = "back_off"
    GIVE_UP = "give_up"
    SIGNAL = "signal"
    PAUSE = "pause"
    UNPAUSE = "unpause"
    REMOVE = "remove"
    REMOVE_FAILED = "remove_failed"


class State(Struct, frozen=True, kw_only=True):
    """What became of a container; times are nanoseconds since the epoch, 0 is never.

    `error` is why the last start failed. `exit_code` is 128+n after signal n.
    """

    status: Status = Status.CREATED
    pid: int = 0
    exit_code: int = 0
    error: str = ""
    oom_killed: bool = False
    started_ns: int = 0
    finished_ns: int = 0

    @property
    def is_running(self) -> bool:
        """Tell what inspect calls Running: a process exists, or is about to again."""
        return self.status in _RUNNING

    @property
    def has_process(self) -> bool:
        """Tell whether a process exists now, frozen or not."""
        return self.status in {Status.RUNNING, Status.PAUSED}


class NotRunning(Conflict):
    """The verb needs a process."""

    def __init__(self, container_id: str) -> None:
        super().__init__(f"container {container_id} is not running")


class AlreadyStarted(NotModified):
    """It runs: 304."""

    def __init__(self, container_id: str) -> None:
        super().__init__(f"container {container_id} is already running")


_RUNNING = frozenset({Status.RUNNING, Status.PAUSED, Status.RESTARTING})

TABLE: Mapping[tuple[Status, Event], Status] = {
    (Status.CREATED, Event.START): Status.CREATED,
    (Status.CREATED, Event.STARTED): Status.RUNNING,
    (Status.CREATED, Event.FAIL): Status.CREATED,
    (Status.CREATED, Event.REMOVE): Status.REMOVING,
    (Status.RUNNING, Event.EXIT): Status.EXITED,
    (Status.RUNNING, Event.BACK_OFF): Status.RESTARTING,
    (Status.RUNNING, Event.SIGNAL): Status.RUNNING,
    (Status.RUNNING, Event.PAUSE): Status.PAUSED,
    (Status.PAUSED, Event.EXIT): Status.EXITED,
    (Status.PAUSED, Event.BACK_OFF): Status.RESTARTING,
    (Status.PAUSED, Event.SIGNAL): Status.PAUSED,
    (Status.PAUSED, Event.UNPAUSE): Status.RUNNING,
    (Status.RESTARTING, Event.START): Status.RESTARTING,
    (Status.RESTARTING, Event.STARTED): Status.RUNNING,
    (Status.RESTARTING, Event.FAIL): Status.EXITED,
    (Status.RESTARTING, Event.GIVE_UP): Status.EXITED,
    (Status.EXITED, Event.START): Status.EXITED,
    (Status.EXITED, Event.STARTED): Status.RUNNING,
    (Status.EXITED, Event.FAIL): Status.EXITED,
    (Status.EXITED, Event.BACK_OFF): Status.RESTARTING,
    (Status.EXITED, Event.REMOVE): Status.REMOVING,
    (Status.REMOVING, Event.REMOVE_FAILED): Status.DEAD,
    (Status.DEAD, Event.REMOVE): Status.REMOVING,
}


def next_status(status: Status, event: Event, container_id: str) -> Status:
    """Return where the event leads. Errors: Conflict or NotModified in the reference's words."""
    found = TABLE.get((status, event))
    if found is None:
        raise refusal(status, event, container_id)
    return found


def moved(state: State, event: Event, container_id: str, **fields: object) -> State:
    """Return the state after the event, with other fields changed. Errors: as `next_status`."""
    return replace(state, status=next_status(state.status, event, container_id), **fields)


def refusal(  # noqa: PLR0911  (one row of a table each)
    status: Status, event: Event, container_id: str
) -> Conflict | NotModified:
    """Return the error that says why the event cannot happen in this status."""
    match event, status:
        case Event.START, Status.RUNNING:
            return AlreadyStarted(container_id)
        case Event.START, Status.PAUSED:
            return Conflict("cannot start a paused container, try unpause instead")
        case Event.START, _:
            return Conflict("container is marked for removal and cannot be started")
        case Event.PAUSE, Status.PAUSED:
            return Conflict(f"container {container_id} is already paused")
        case Event.PAUSE, Status.RESTARTING:
            return Conflict(
                f"container {container_id} is restarting, wait until the container is running"
            )
        case Event.UNPAUSE, _:
            return Conflict(f"container {container_id} is not paused")
        case Event.REMOVE, Status.REMOVING:
            return Conflict(f"removal of container {container_id} is already in progress")
        case Event.REMOVE, Status.PAUSED:
            return Conflict("container is paused and must be unpaused first")
        case Event.REMOVE, _:
            return Conflict(
                f"container is {status}: stop the container before removing or force remove"
            )
        case _:
            return NotRunning(container_id)
