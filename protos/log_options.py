"""Options of log readings, and how far logs were read, as messages carry them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from api.types.logs import LogOptions, LogPosition
from protos.skep.v1.logs_pb2 import LogsOptions, LogsPosition


def to_wire(options: LogOptions) -> LogsOptions:
    """Return the message of options."""
    return LogsOptions(
        follow=options.follow,
        stdout=options.stdout,
        stderr=options.stderr,
        timestamps=options.timestamps,
        details=options.details,
        since_ns=options.since_ns,
        tail=-1 if options.tail is None else options.tail,
    )


def from_wire(message: LogsOptions) -> LogOptions:
    """Return the options in a message."""
    return LogOptions(
        follow=message.follow,
        stdout=message.stdout,
        stderr=message.stderr,
        timestamps=message.timestamps,
        details=message.details,
        since_ns=message.since_ns,
        tail=None if message.tail < 0 else message.tail,
    )


def positions_to_wire(positions: Mapping[str, LogPosition]) -> list[LogsPosition]:
    """Return the messages of positions by task."""
    return [
        LogsPosition(task_id=task_id, moment_ns=each.moment_ns, count=each.count)
        for task_id, each in positions.items()
    ]


def positions_from_wire(messages: Iterable[LogsPosition]) -> dict[str, LogPosition]:
    """Return the positions by task."""
    return {each.task_id: LogPosition(each.moment_ns, each.count) for each in messages}
