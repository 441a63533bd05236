"""Monitors: one conmon per process, which holds stdio, log and exit status beyond our own end.

conmon is told everything by arguments and speaks through pipes (its first line tells the pid or
the failure), a fifo `ctl` (terminal size, reopening the log), a socket `attach`, and the files
`exit` and `oom`, all in the directory that it is given. It stays our child (`--sync`), in a session
of its own: no second fork, and it outlives us all the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import termios
from dataclasses import dataclass
from pathlib import Path

import msgspec
import structlog

from api.errors import Internal
from engine.adapters import pidfd
from engine.adapters.cgroup import QuickMoves, has_oom_kill, memory_cgroup
from engine.adapters.conmon_stream import ConmonStream, connect
from engine.adapters.runtime_command import global_arguments, name_of, program, state_root
from engine.core.errors import RuntimeFailed
from engine.core.runtime_errors import create_failure, exec_failure, exit_code_of, last_error
from engine.ports.runtime import ExecOrder, Monitored, MonitorExit, MonitorOrder
from engine.settings import LiveSettings, RuntimeBinary

log = structlog.get_logger(__name__)

_CREATE_TIMEOUT_S = 120.0
_IDENTITY = "monitor.json"
_RUNTIME_LOG = "runtime.log"
_LONGEST_TMPDIR = 80


class _Report(msgspec.Struct):
    """A line of the monitor: `data` is the pid, or negative on failure."""

    data: int
    message: str = ""


class _Identity(msgspec.Struct):
    monitor_pid: int
    monitor_start: int
    pid: int
    memory_cgroup: str = ""


@dataclass(slots=True)
class _Spawned:
    pid: int
    reports: int  # read end of the pipe that tells the pid
    attached: int = -1  # read end of the pipe that tells that the attach socket is there
    go: int = -1  # write end of the pipe that lets an exec run


class Conmon:
    """Fulfils `Monitor`."""

    def __init__(self, settings: LiveSettings) -> None:
        self._settings = settings
        self._moves = QuickMoves()
        self._waits: dict[tuple[int, int], asyncio.Task[MonitorExit]] = {}

    async def create(self, order: MonitorOrder) -> Monitored:
        """Create a container; see the port."""
        target = f"k8s-file:{order.log_path}" if order.log_path else "none"
        arguments = [
            *self._arguments(order.runtime, order.container_id, order.bundle),
            *("-n", order.container_id, "-l", target),
            *_switches(tty=order.tty, stdin=order.stdin, stay=order.leave_stdin_open),
        ]
        spawned = self._spawn(arguments, order.bundle, is_exec=False)
        try:
            report = await self._report(spawned)
        finally:
            os.close(spawned.reports)
        _check_create(order, report)
        return _identify(order.bundle, spawned.pid, report.data)

    async def exec(self, order: ExecOrder) -> tuple[Monitored, ConmonStream]:
        """Run a process in a container; see the port."""
        arguments = [
            *self._arguments(order.runtime, order.container_id, order.directory),
            *("-l", "none", "-e", "--exec-attach"),
            *("--exec-process-spec", str(order.directory / "process.json")),
            *_switches(tty=order.tty, stdin=order.stdin, stay=False),
        ]
        spawned = self._spawn(arguments, order.directory, is_exec=True)
        try:
            stream = await _connect_early(order.directory, spawned)
            try:
                os.write(spawned.go, b"\0")
                report = await self._report(spawned)
                _check_exec(order, report)
            except BaseException:
                stream.close()
                raise
        finally:
            for descriptor in (spawned.reports, spawned.attached, spawned.go):
                os.close(descriptor)
        stream.watch(report.data)
        return _identify(order.directory, spawned.pid, report.data), stream

    async def attach(self, directory: Path) -> ConmonStream:
        """Connect to a created or running process. Errors: Internal when its monitor is gone."""
        identity = _read_identity(directory)
        stream = await connect(directory)
        if identity is not None:
            stream.watch(identity.pid)
        return stream

    def resize(self, directory: Path, height: int, width: int) -> None:
        """Set the terminal's size in characters."""
        _control(directory, f"1 {height} {width}\n")

    def reopen_log(self, directory: Path) -> None:
        """Make the monitor open its log file anew."""
        _control(directory, "2 0 0\n")

    def has_unread_orders(self, directory: Path) -> bool:
        """Tell whether orders wait in the monitor's pipe; none do when the monitor is gone."""
        try:
            pipe = os.open(directory / "ctl", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            waiting = fcntl.ioctl(pipe, termios.FIONREAD, bytes(4))
        finally:
            os.close(pipe)
        return int.from_bytes(waiting, sys.byteorder) > 0

    def adopt(self, directory: Path) -> Monitored | None:
        """Find a monitor that an earlier daemon started; None when it is gone."""
        identity = _read_identity(directory)
        if identity is None or pidfd.start_time(identity.monitor_pid) != identity.monitor_start:
            return None
        return Monitored(directory, identity.monitor_pid, identity.monitor_start, identity.pid)

    async def wait(self, monitored: Monitored) -> MonitorExit:
        """Return once the process ended and its output is all in the log. Many may wait."""
        key = (monitored.monitor_pid, monitored.monitor_start)
        task = self._waits.get(key)
        if task is None:
            task = asyncio.create_task(self._wait(monitored), name=f"monitor:{key[0]}")
            self._waits[key] = task
            task.add_done_callback(lambda _: self._waits.pop(key, None))
        return await asyncio.shield(task)

    def last_exit(self, directory: Path) -> MonitorExit | None:
        """Return what the monitor wrote of an exit that no daemon saw; None if nothing."""
        try:
            with (directory / "exit").open("rb") as file:
                code = int(file.read(16))
                finished_ns = os.fstat(file.fileno()).st_mtime_ns
        except (OSError, ValueError):
            return None
        return MonitorExit(code, _ran_out_of_memory(directory), finished_ns)

    async def _wait(self, monitored: Monitored) -> MonitorExit:
        descriptor = pidfd.open_process(monitored.monitor_pid, monitored.monitor_start)
        if descriptor is not None:
            try:
                await pidfd.ended(descriptor)
            finally:
                os.close(descriptor)
        seen = self.last_exit(monitored.directory)
        if seen is not None:
            return seen
        log.warning("monitor.lost", directory=str(monitored.directory), pid=monitored.pid)
        ended_ns = _modified_ns(monitored.directory)
        return MonitorExit(None, _ran_out_of_memory(monitored.directory), ended_ns)

    def _arguments(self, runtime: RuntimeBinary, container_id: str, directory: Path) -> list[str]:
        exec_root = self._settings.current.exec_root
        state_root(exec_root, runtime).mkdir(mode=0o700, parents=True, exist_ok=True)
        arguments = [
            program(self._settings.current.monitor_path),
            *("--api-version", "1", "--sync", "--no-sync-log", "--full-attach"),
            *("-c", container_id, "-u", container_id, "-r", program(runtime.path)),
            *("-b", str(directory), "-p", str(directory / "pid")),
            *("--exit-dir", str(directory), "--persist-dir", str(directory)),
            *("--log-level", "error"),
        ]
        for each in global_arguments(exec_root, runtime, directory / _RUNTIME_LOG):
            arguments += ["--runtime-arg", each]
        return arguments

    def _spawn(self, arguments: list[str], directory: Path, *, is_exec: bool) -> _Spawned:
        """Start a monitor with its directory as the working one: it leaves a file `oom` there."""
        self._moves.prepare()
        reports, reports_child = os.pipe()
        spawned = _Spawned(0, reports)
        environment = {"PATH": os.environ.get("PATH", os.defpath)}
        environment["_OCI_SYNCPIPE"] = str(reports_child)
        exec_root = str(self._settings.current.exec_root)
        if len(exec_root) < _LONGEST_TMPDIR:
            environment["TMPDIR"] = exec_root
        children = [reports_child]
        if is_exec:
            spawned.attached, attached_child = os.pipe()
            go_child, spawned.go = os.pipe()
            os.write(spawned.go, b"\0")  # the first wait is for a cgroup that we do not set
            environment["_OCI_ATTACHPIPE"] = str(attached_child)
            environment["_OCI_STARTPIPE"] = str(go_child)
            children += [attached_child, go_child]
        try:
            spawned.pid = _start(arguments, directory, environment, children)
        except OSError as error:
            for descriptor in (reports, spawned.attached, spawned.go):
                if descriptor >= 0:
                    os.close(descriptor)
            raise Internal(f"cannot start the monitor: {error.strerror}") from error
        finally:
            for descriptor in children:
                os.close(descriptor)
        return spawned

    async def _report(self, spawned: _Spawned) -> _Report:
        """Read what became of the start; on failure the monitor is gone when this returns."""
        try:
            async with asyncio.timeout(_CREATE_TIMEOUT_S):
                line = await _line(spawned.reports)
            report = msgspec.json.decode(line, type=_Report) if line else _Report(-1)
        except (TimeoutError, asyncio.CancelledError, msgspec.MsgspecError) as error:
            await asyncio.shield(_end(spawned.pid))
            if isinstance(error, asyncio.CancelledError):
                raise
            raise Internal("the monitor did not say what became of the container") from error
        if report.data <= 0:
            await asyncio.shield(_end(spawned.pid))
        return report


async def _connect_early(directory: Path, spawned: _Spawned) -> ConmonStream:
    """Connect to an exec's monitor before it runs anything; on failure the monitor is ended."""
    try:
        async with asyncio.timeout(_CREATE_TIMEOUT_S):
            await _line(spawned.attached)
        return await connect(directory)
    except BaseException as error:
        await asyncio.shield(_end(spawned.pid))
        if isinstance(error, TimeoutError):
            raise Internal("the monitor did not come up in time") from error
        raise


def _switches(*, tty: bool, stdin: bool, stay: bool) -> list[str]:
    chosen = (("-t", tty), ("-i", stdin), ("--leave-stdin-open", stay))
    return [switch for switch, wanted in chosen if wanted]


def _start(
    arguments: list[str], directory: Path, environment: dict[str, str], descriptors: list[int]
) -> int:
    """Start a program in a session of its own, with these descriptors; return its pid."""
    process = subprocess.Popen(
        arguments,
        cwd=directory,
        env=environment,
        pass_fds=descriptors,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    # We wait for it by a descriptor. The module must not: the pid may be another's by then.
    process.returncode = 0
    return process.pid


async def _line(descriptor: int) -> bytes:
    """Return the first line from a pipe, b"" if it was closed without one."""
    os.set_blocking(descriptor, False)
    loop = asyncio.get_running_loop()
    done: asyncio.Future[bytes] = loop.create_future()
    gathered = bytearray()

    def take() -> None:
        try:
            part = os.read(descriptor, 65536)
        except BlockingIOError:
            return
        gathered.extend(part)
        if (not part or b"\n" in part) and not done.done():
            done.set_result(bytes(gathered.partition(b"\n")[0]))

    loop.add_reader(descriptor, take)
    try:
        return await done
    finally:
        loop.remove_reader(descriptor)


async def _end(pid: int) -> None:
    """Kill and reap a monitor that failed, and with it the runtime that it waits for."""
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        return
    try:
        with contextlib.suppress(OSError):
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        await pidfd.ended(descriptor)
    finally:
        os.close(descriptor)


def _words(directory: Path, report: _Report) -> str:
    try:
        logged = (directory / _RUNTIME_LOG).read_bytes()
    except OSError:
        logged = b""
    return last_error(logged, report.message)


def _check_create(order: MonitorOrder, report: _Report) -> None:
    if report.data <= 0:
        words = _words(order.bundle, report)
        raise RuntimeFailed(create_failure(words, name_of(order.runtime)), exit_code_of(words))


def _check_exec(order: ExecOrder, report: _Report) -> None:
    if report.data <= 0:
        words = _words(order.directory, report)
        raise RuntimeFailed(exec_failure(words, name_of(order.runtime)), _exec_code(words))


def _exec_code(words: str) -> int:
    code = exit_code_of(words)
    return 126 if code == 128 else code


def _identify(directory: Path, monitor_pid: int, pid: int) -> Monitored:
    started = pidfd.start_time(monitor_pid) or 0
    identity = _Identity(monitor_pid, started, pid, memory_cgroup(pid))
    (directory / _IDENTITY).write_bytes(msgspec.json.encode(identity))
    return Monitored(directory, monitor_pid, started, pid)


def _read_identity(directory: Path) -> _Identity | None:
    try:
        return msgspec.json.decode((directory / _IDENTITY).read_bytes(), type=_Identity)
    except (OSError, msgspec.MsgspecError):
        return None


def _ran_out_of_memory(directory: Path) -> bool:
    # The monitor may miss the event when the exit comes right behind it; the group counts kills
    # as long as it is there, which is until the runtime's delete.
    if (directory / "oom").exists():
        return True
    identity = _read_identity(directory)
    return identity is not None and has_oom_kill(identity.memory_cgroup)


def _control(directory: Path, message: str) -> None:
    try:
        descriptor = os.open(directory / "ctl", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise Internal(f"cannot reach the monitor: {error.strerror}") from error
    try:
        os.write(descriptor, message.encode())
    finally:
        os.close(descriptor)


def _modified_ns(directory: Path) -> int:
    try:
        return directory.stat().st_mtime_ns
    except OSError:
        return 0
