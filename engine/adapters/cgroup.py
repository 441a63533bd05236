"""The control group of a process, on version 1 and 2 of the interface."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_MOUNT = Path("/sys/fs/cgroup")
# The kernel's quick state lasts 10 ms at least; a runtime needs it 10 to 25 ms after its start.
_EXTENDED_S = 0.008


class QuickMoves:
    """Makes moves of processes between groups quick at the time when a runtime does them.

    The kernel keeps the first move after a pause waiting for a grace period, 6 to 16 ms, and lets
    those pass that follow closely. So, while a runtime is still coming up, we move ourselves to
    where we are already: the wait runs beside its start instead of within it.
    """

    def __init__(self) -> None:
        self._lane = ThreadPoolExecutor(1, thread_name_prefix="cgroup")
        self._going: asyncio.Future[None] | None = None

    def prepare(self) -> None:
        """Begin, behind the caller; one at a time serves all."""
        if self._going is None or self._going.done():
            loop = asyncio.get_running_loop()
            self._going = loop.run_in_executor(self._lane, _stay_twice)

    async def done(self) -> None:
        """Return when nothing of it goes on."""
        if self._going is not None:
            await self._going


def _stay_twice() -> None:
    # A host that does not let us is as fast as it was.
    with contextlib.suppress(OSError):
        members = _own_members()
        own_pid = str(os.getpid())
        members.write_text(own_pid)
        time.sleep(_EXTENDED_S)
        members.write_text(own_pid)


def _own_members() -> Path:
    """Return the file that lists the processes of a group that we are in. Errors: OSError."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        members = Path(f"{_MOUNT}/{controllers.removeprefix('name=')}{path}", "cgroup.procs")
        if members.exists():
            return members
    raise FileNotFoundError(_MOUNT)


def memory_cgroup(pid: int) -> str:
    """Return the directory of the group that accounts a process's memory, "" if there is none."""
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    except OSError:
        return ""
    unified = ""
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            return f"{_MOUNT}/memory{path}"
        if not controllers:
            unified = f"{_MOUNT}{path}"
    return unified


def has_oom_kill(directory: str) -> bool:
    """Tell whether the kernel killed a process of this group for want of memory."""
    for name in ("memory.oom_control", "memory.events"):
        try:
            lines = Path(directory, name).read_text().splitlines()
        except OSError:
            continue
        counts = dict(line.split(maxsplit=1) for line in lines if " " in line)
        return counts.get("oom_kill", "0") != "0"
    return False
