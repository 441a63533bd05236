"""`python -m manager` as a child of the daemon."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from pathlib import Path

import msgspec

from agent.ports.manager_process import Child, ManagerArguments, ManagerFailed, Ready

_STOP_GRACE_S = 10.0
_LINE_LIMIT_BYTES = 1 << 20


class _Line(msgspec.Struct):
    """The one line that a manager writes: that it serves, or why it ends."""

    ready: bool = False
    locked: bool = False
    node_id: str = ""
    error: str = ""
    code: int = 500


class ManagerProcesses:
    """Fulfils `Launcher`.

    The kernel tells a manager to end when the daemon dies, however it dies: a second one could
    not have its place. setpriv asks for that before the manager's program begins.
    """

    def __init__(self, socket: Path, log_level: str = "info", log_format: str = "text") -> None:
        self._same = (
            *("--socket", str(socket)),
            *("--log-level", log_level),
            *("--log-format", log_format),
        )

    async def launch(self, arguments: ManagerArguments) -> Child:
        """Start a manager."""
        try:
            process = await asyncio.create_subprocess_exec(
                *("setpriv", "--pdeathsig", "SIGTERM", "--"),
                *(sys.executable, "-m", "manager"),
                *_flags(arguments),
                *self._same,
                stdin=PIPE if arguments.init else DEVNULL,
                stdout=PIPE,
                start_new_session=True,
                limit=_LINE_LIMIT_BYTES,
            )
        except OSError as error:
            raise ManagerFailed(f"cannot start the manager: {error.strerror}") from error
        if process.stdin is not None:
            with suppress(ConnectionError):
                process.stdin.write(arguments.init)
                await process.stdin.drain()
            process.stdin.close()
        return _ManagerChild(process)


def _flags(arguments: ManagerArguments) -> list[str]:
    return [
        *("--state-dir", str(arguments.state_dir)),
        *("--listen", arguments.listen),
        *("--advertise", arguments.advertise),
        *(["--init"] if arguments.init else []),
        *(["--join", arguments.join] if arguments.join else []),
        *(["--force-new-cluster"] if arguments.force_new_cluster else []),
    ]


class _ManagerChild:
    """Fulfils `Child`."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def ready(self) -> Ready:
        """Return when it serves."""
        assert self._process.stdout is not None
        try:
            line = await self._process.stdout.readline()
        except ValueError as error:
            raise ManagerFailed("the manager's first line has no end") from error
        try:
            said = msgspec.json.decode(line, type=_Line)
        except msgspec.MsgspecError:
            said = _Line()
        if said.ready:
            return Ready(said.node_id, said.locked)
        code = await self._process.wait()
        raise ManagerFailed(
            said.error or f"the manager ended with {code}: its own log says why", said.code
        )

    async def ended(self) -> int:
        """Return its exit code when it has ended."""
        return await self._process.wait()

    async def stop(self) -> None:
        """Ask it to end, and insist after a while."""
        with suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(_STOP_GRACE_S):
                await self._process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
