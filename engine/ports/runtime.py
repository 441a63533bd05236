"""The OCI runtime and the monitor that holds a container's process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from engine.settings import RuntimeBinary


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorOrder:
    """A container to be created: `bundle` holds config.json and becomes the monitor's directory.

    `log_path` None means no log. `leave_stdin_open` keeps the container's stdin open after a
    client of attach went away (OpenStdin without StdinOnce).
    """

    container_id: str
    bundle: Path
    runtime: RuntimeBinary
    log_path: Path | None
    tty: bool
    stdin: bool
    leave_stdin_open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecOrder:
    """A process to be started in a running container.

    `directory` is the exec's own: holds process.json (an OCI process object), becomes the
    monitor's directory.
    """

    container_id: str
    exec_id: str
    directory: Path
    runtime: RuntimeBinary
    tty: bool
    stdin: bool


@dataclass(frozen=True, slots=True)
class Monitored:
    """A monitor and its process: what is kept on disk to find them again after a restart.

    `monitor_start` is field 22 of /proc/PID/stat, which tells a reused pid from ours.
    """

    directory: Path
    monitor_pid: int
    monitor_start: int
    pid: int


@dataclass(frozen=True, slots=True)
class MonitorExit:
    """How a process ended; exit_code None when the monitor died without telling.

    128+n when killed by signal n. `finished_ns` is since the epoch.
    """

    exit_code: int | None
    oom_killed: bool
    finished_ns: int


class MonitorStream(Protocol):
    """One client's connection to the stdio of a monitored process."""

    async def read(self) -> tuple[int, bytes] | None:
        """Return (stream, payload), None at the end; stream 1 is stdout or a tty, 2 stderr."""

    async def write(self, data: bytes) -> None:
        """Send to stdin; return when handed over. A process that is gone swallows it."""

    def write_eof(self) -> None:
        """Close stdin, unless the monitor was told to leave it open."""

    def close(self) -> None:
        """Leave; the process goes on."""


class Monitor(Protocol):
    """Starts monitors (conmon) and talks with them."""

    async def create(self, order: MonitorOrder) -> Monitored:
        """Create a container up to the point where `Runtime.start` lets its process run.

        Errors:  RuntimeFailed with the runtime's words; nothing is left behind but the bundle.
        """

    async def exec(self, order: ExecOrder) -> tuple[Monitored, MonitorStream | None]:
        """Run a process in a container; the stream was connected before its first output.

        Errors:  RuntimeFailed (126 not executable, 127 not found, as Docker counts).
        """

    async def attach(self, directory: Path) -> MonitorStream:
        """Connect to a created or running process."""

    def resize(self, directory: Path, height: int, width: int) -> None:
        """Set the terminal's size in characters."""

    def reopen_log(self, directory: Path) -> None:
        """Make the monitor open its log file anew, after a rotation renamed it."""

    def has_unread_orders(self, directory: Path) -> bool:
        """Tell whether the monitor has not read yet what `resize` or `reopen_log` sent it."""

    def adopt(self, directory: Path) -> Monitored | None:
        """Find a monitor that an earlier daemon started; None when it is gone."""

    async def wait(self, monitored: Monitored) -> MonitorExit:
        """Return once the process ended and its output is all in the log. Many may wait at once."""

    def last_exit(self, directory: Path) -> MonitorExit | None:
        """Return what the monitor wrote of an exit that no daemon saw; None if nothing."""


class Runtime(Protocol):
    """The OCI runtime's own verbs (runc)."""

    async def start(self, runtime: RuntimeBinary, container_id: str) -> None:
        """Let a created container's process run. Errors: RuntimeFailed."""

    async def delete(self, runtime: RuntimeBinary, container_id: str) -> None:
        """Remove what the runtime keeps (state, cgroup), killing what still runs; fine if gone."""

    async def pause(self, runtime: RuntimeBinary, container_id: str) -> None:
        """Freeze all processes."""

    async def resume(self, runtime: RuntimeBinary, container_id: str) -> None:
        """Let frozen processes go on."""

    async def update(
        self, runtime: RuntimeBinary, container_id: str, resources: Mapping[str, Any]
    ) -> None:
        """Give a running container these limits, in the runtime's form. Errors: RuntimeFailed."""

    def signal(self, pid: int, number: int) -> None:
        """Send a signal to a container's first process; a process that is gone is fine."""

    def kill_group(self, pid: int) -> None:
        """Kill an executed process and what it started; fine if gone."""

    async def known(self) -> set[str]:
        """Return the ids of all containers that the runtime keeps state of."""
