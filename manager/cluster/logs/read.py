"""Read the logs of a service's tasks, or of one task."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

from api.errors import InvalidArgument
from api.types.logs import LogOptions
from api.types.tasks import TaskSpec
from manager.cluster.env import ClusterEnv
from manager.cluster.refs import resolve
from manager.cluster.services.refs import resolve_service
from manager.core.logs.selection import Selection
from manager.core.objects.times import from_api_time
from manager.core.store.tables import TASKS

_SECONDS = re.compile(r"([0-9]{1,10})(?:\.([0-9]{1,9}))?")
_COUNT = re.compile(r"[0-9]{1,18}")
_NS = 1_000_000_000


class NoStreamChosen(InvalidArgument):
    """Neither standard output nor standard error was asked for."""

    def __init__(self) -> None:
        super().__init__("Bad parameters: you must choose at least one stream")


class TaskLogsReading:
    """A reading: whether what it yields is bare text of a terminal, and the pieces."""

    def __init__(self, pieces: AsyncIterator[bytes], *, has_terminal: bool) -> None:
        self.pieces = pieces
        self.has_terminal = has_terminal


def read_service_logs(env: ClusterEnv, ref: str, options: LogOptions) -> TaskLogsReading:
    """Return the logs of all tasks of a service. Errors: NoSuchService, NoStreamChosen."""
    _check(options)
    service = resolve_service(env.store.view().services, ref)
    selection = Selection(service_ids=frozenset({service.id}))
    return _reading(env, selection, options, service.spec.TaskTemplate)


def read_task_logs(env: ClusterEnv, ref: str, options: LogOptions) -> TaskLogsReading:
    """Return the log of one task. Errors: NoSuchTask, AmbiguousRef, NoStreamChosen."""
    _check(options)
    task = resolve(TASKS, env.store.view().tasks, ref)
    return _reading(env, Selection(task_ids=frozenset({task.id})), options, task.spec)


def moment_ns(text: str) -> int:
    """Return the nanoseconds of `since`: seconds with a fraction, or RFC 3339; "" is 0.

    Errors:  InvalidArgument.
    """
    if found := _SECONDS.fullmatch(text):
        seconds, fraction = found.groups()
        return int(seconds) * _NS + int((fraction or "").ljust(9, "0"))
    found_ns = from_api_time(text)
    if text and not found_ns:
        raise InvalidArgument(f'failed to parse value as time or duration: "{text}"')
    return found_ns


def line_count(text: str) -> int | None:
    """Return the number of `tail`; None, for all, when it is none."""
    return int(text) if _COUNT.fullmatch(text) else None


def _check(options: LogOptions) -> None:
    if not (options.stdout or options.stderr):
        raise NoStreamChosen


def _reading(
    env: ClusterEnv, selection: Selection, options: LogOptions, spec: TaskSpec
) -> TaskLogsReading:
    container = spec.ContainerSpec
    has_terminal = container is not None and container.TTY
    return TaskLogsReading(env.logs.read(selection, options), has_terminal=has_terminal)
