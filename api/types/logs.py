"""What a reader of tasks' logs asks for; it travels between managers and nodes."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace


class LogPosition(Struct, frozen=True):
    """How far a log was read: to the record of a moment, so many of its records included.

    Records that were written together bear the same moment.
    """

    moment_ns: int
    count: int


class LogOptions(Struct, frozen=True, kw_only=True):
    """since_ns 0 is from the beginning; tail is lines per task, None all.

    skip: so many records of the moment since_ns itself are passed over.

    details: each line begins with what it is of, `com.docker.swarm.node.id=...,...` and a space.
    """

    follow: bool = False
    stdout: bool = True
    stderr: bool = True
    timestamps: bool = False
    details: bool = False
    since_ns: int = 0
    skip: int = 0
    tail: int | None = None

    def after(self, position: LogPosition) -> LogOptions:
        """Return what goes on behind a position."""
        return replace(self, since_ns=position.moment_ns, skip=position.count, tail=None)
