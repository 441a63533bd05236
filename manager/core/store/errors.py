"""What the store refuses, and what it cannot read."""

from __future__ import annotations

from api.errors import Internal, InvalidArgument, NotFound


class ChangeTooLarge(InvalidArgument):
    """One change may not be larger than a log entry."""

    def __init__(self, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(
            f"the change takes {size_bytes} bytes; the limit for one change is {limit_bytes}"
        )


class NoSuchObject(NotFound):
    """No object of this kind has this id."""

    def __init__(self, kind: str, object_id: str) -> None:
        super().__init__(f"{kind} {object_id} not found")


class LaggedBehind(Internal):
    """A watcher was too slow, or asked for changes that are no longer kept: look again, anew."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"changes were missed: {reason}; read the state and watch again")


class UnreadableState(Internal):
    """A command or a dump that this manager cannot read. It must stop: skipping would diverge."""

    def __init__(self, what: str) -> None:
        super().__init__(f"the replicated state cannot be read: {what}")


class NewerSchema(UnreadableState):
    """A newer manager wrote this."""

    def __init__(self, found: int, known: int) -> None:
        super().__init__(
            f"it has schema {found}, written by a newer version of Skep; this one reads up to "
            f"schema {known}: upgrade this manager"
        )
