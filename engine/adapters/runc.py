"""The OCI runtime's verbs.

Starting and deleting a container are, for runc, a fifo to read and directories to remove. A process
of the runtime for each costs 7 ms and 15 ms of CPU, so both are done here where its state on disk
is as expected, and by `runc start` and `runc delete --force` wherever it is not.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from api.errors import Internal
from engine.adapters import pidfd
from engine.adapters.freezer import set_frozen
from engine.adapters.runtime_command import global_arguments, name_of, program, state_root
from engine.core.errors import RuntimeFailed
from engine.core.runtime_errors import exit_code_of, last_error
from engine.settings import LiveSettings, RuntimeBinary

_TIMEOUT_S = 60.0
_START_TIMEOUT_S = 10.0


class _State(msgspec.Struct):
    """What we need of the runtime's state.json."""

    init_process_pid: int
    init_process_start: int
    cgroup_paths: dict[str, str] = {}


class Runc:
    """Fulfils `Runtime`, for runc and whatever has its command line (crun)."""

    def __init__(self, settings: LiveSettings) -> None:
        self._settings = settings

    async def start(self, runtime: RuntimeBinary, container_id: str) -> None:
        """Let a created container's process run. Errors: RuntimeFailed."""
        fifo = self._directory(runtime, container_id) / "exec.fifo"
        if name_of(runtime) == "runc" and await _open_gate(fifo):
            return
        await self._run(runtime, "start", container_id)

    async def delete(self, runtime: RuntimeBinary, container_id: str) -> None:
        """Remove what the runtime keeps, killing what still runs; fine if gone."""
        directory = self._directory(runtime, container_id)
        if not directory.exists():
            return
        if name_of(runtime) == "runc" and await asyncio.to_thread(_sweep, directory):
            return
        await self._run(runtime, "delete", "--force", container_id)

    async def pause(self, runtime: RuntimeBinary, container_id: str) -> None:
        """Freeze all processes."""
        if not await self._set_frozen(runtime, container_id, frozen=True):
            await self._run(runtime, "pause", container_id)

    async def resume(self, runtime: RuntimeBinary, container_id: str) -> None:
        """Let frozen processes go on."""
        if not await self._set_frozen(runtime, container_id, frozen=False):
            await self._run(runtime, "resume", container_id)

    async def update(
        self, runtime: RuntimeBinary, container_id: str, resources: Mapping[str, Any]
    ) -> None:
        """Give a running container these limits. Errors: RuntimeFailed."""
        with _in_memory(msgspec.json.encode(resources)) as path:
            await self._run(runtime, "update", "--resources", path, container_id)

    def signal(self, pid: int, number: int) -> None:
        """Send a signal to a container's first process; a process that is gone is fine."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)

    def kill_group(self, pid: int) -> None:
        """Kill an executed process and what it started; fine if gone."""
        # The runtime makes it the leader of a session, and so of a group.
        for target in (-pid, pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(target, signal.SIGKILL)

    async def known(self) -> set[str]:
        """Return the ids of all containers that any runtime keeps state of."""
        return await asyncio.to_thread(_known, self._settings.current.exec_root / "runtime")

    async def _set_frozen(self, runtime: RuntimeBinary, container_id: str, *, frozen: bool) -> bool:
        if name_of(runtime) != "runc":
            return False
        state = _read_state(self._directory(runtime, container_id))
        if state is None:
            return False
        return await asyncio.to_thread(set_frozen, state.cgroup_paths, frozen=frozen)

    def _directory(self, runtime: RuntimeBinary, container_id: str) -> Path:
        return state_root(self._settings.current.exec_root, runtime) / container_id

    async def _run(self, runtime: RuntimeBinary, *command: str) -> None:
        exec_root = self._settings.current.exec_root
        process = await asyncio.create_subprocess_exec(
            program(runtime.path),
            *global_arguments(exec_root, runtime, None),
            *("--log-format", "json"),
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                _, printed = await process.communicate()
        except TimeoutError as error:
            raise Internal(f"{name_of(runtime)} {command[0]} did not end") from error
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.send_signal(signal.SIGKILL)
                await process.wait()
        if process.returncode:
            words = last_error(printed, printed.decode(errors="replace").strip())
            raise RuntimeFailed(
                f"OCI runtime {command[0]} failed: {words}: unknown", exit_code_of(words)
            )


@contextlib.contextmanager
def _in_memory(content: bytes) -> Iterator[str]:
    """Give the path of a file that other processes can read, and that never was on a disk."""
    descriptor = os.memfd_create("skep-resources")
    try:
        os.write(descriptor, content)
        yield f"/proc/{os.getpid()}/fd/{descriptor}"
    finally:
        os.close(descriptor)


async def _open_gate(fifo: Path) -> bool:
    """Read the fifo that a created container waits at; False when that did not let it run."""
    try:
        descriptor = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_reader(descriptor, pidfd.settle, ready)
    try:
        async with asyncio.timeout(_START_TIMEOUT_S):
            await ready
        passed = bool(os.read(descriptor, 1))
    except (TimeoutError, OSError):
        return False
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
    if passed:
        # The fifo's presence is how the runtime knows "created" from "running".
        with contextlib.suppress(FileNotFoundError):
            os.unlink(fifo)
    return passed


def _read_state(directory: Path) -> _State | None:
    try:
        return msgspec.json.decode((directory / "state.json").read_bytes(), type=_State)
    except (OSError, msgspec.MsgspecError):
        return None


def _sweep(directory: Path) -> bool:
    """Remove the cgroups and the state of a container whose process ended; False if not so."""
    state = _read_state(directory)
    if state is None:
        return False
    if pidfd.start_time(state.init_process_pid) == state.init_process_start:
        return False
    if not state.cgroup_paths or not _remove_cgroups(state.cgroup_paths):
        return False
    shutil.rmtree(directory, ignore_errors=True)
    return not directory.exists()


def _remove_cgroups(paths: Mapping[str, str]) -> bool:
    for path in set(paths.values()):
        # A controller that the container did not join is told as its own root: not ours.
        try:
            os.rmdir(path)
        except FileNotFoundError:
            continue
        except OSError:
            return False
    return True


def _known(root: Path) -> set[str]:
    return {state.name for runtime in _children(root) for state in _children(runtime)}


def _children(directory: Path) -> list[Path]:
    try:
        return [each for each in directory.iterdir() if each.is_dir()]
    except FileNotFoundError:
        return []
