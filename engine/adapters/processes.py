"""Process lists: membership by control group, columns by the host's `ps`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import structlog

from api.errors import Expired, InvalidArgument
from engine.core.process_table import PLAIN_TITLES

log = structlog.get_logger(__name__)

_PS_TIMEOUT_S = 10.0
_PROC = Path("/proc")
_CGROUPS = Path("/sys/fs/cgroup")
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
# any of these hierarchies of version 1 holds all processes of a container
_V1_CONTROLLERS = ("pids", "devices", "memory", "cpu")


class HostProcesses:
    """Fulfils `Processes`."""

    async def members(self, pid: int) -> frozenset[int]:
        """Return the processes in the control group of `pid` and below."""
        return await asyncio.to_thread(_members, pid)

    async def listing(self, arguments: Sequence[str]) -> str:
        """Return what `ps` prints; without a `ps` on the host, the default columns only."""
        try:
            return await _run_ps(arguments)
        except FileNotFoundError:
            if list(arguments) != ["-ef"]:
                message = (
                    "the host has no ps (package procps): only the default columns can be shown"
                )
                raise InvalidArgument(message) from None
            return await asyncio.to_thread(_plain_listing)


async def _run_ps(arguments: Sequence[str]) -> str:
    process = await asyncio.create_subprocess_exec(
        "ps",
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
    )
    try:
        async with asyncio.timeout(_PS_TIMEOUT_S):
            output, complaint = await process.communicate()
    except TimeoutError as error:
        raise Expired(f"ps did not end within {_PS_TIMEOUT_S:g} s") from error
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode != 0:
        words = complaint.decode(errors="replace").strip() or f"exit status {process.returncode}"
        raise InvalidArgument(f"ps: {words}")
    return output.decode(errors="replace")


def _members(pid: int) -> frozenset[int]:
    group = _group_of(pid)
    if group is None:
        return frozenset()
    pids: set[int] = set()
    for directory, _, names in os.walk(group):
        if "cgroup.procs" in names:
            # a group may vanish, or be threaded (EOPNOTSUPP), while we look
            with contextlib.suppress(OSError):
                text = Path(directory, "cgroup.procs").read_text(encoding="ascii")
                pids.update(int(line) for line in text.split())
    return frozenset(pids)


def _group_of(pid: int) -> Path | None:
    """Return the directory of the control group that holds the container of a process."""
    try:
        lines = (_PROC / str(pid) / "cgroup").read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return None
    paths: dict[str, str] = {}
    for line in lines:
        _, controllers, path = line.split(":", 2)
        paths.update(dict.fromkeys(controllers.split(","), path))
    for controller in _V1_CONTROLLERS:
        if controller in paths:
            return _CGROUPS / controller / paths[controller].lstrip("/")
    return _CGROUPS / paths[""].lstrip("/") if "" in paths else None


def _plain_listing() -> str:
    """Return the columns of `ps -ef`, read from /proc."""
    now_s = time.time()
    uptime_s = float((_PROC / "uptime").read_text(encoding="ascii").split()[0])
    rows = [" ".join(PLAIN_TITLES)]
    for entry in _PROC.iterdir():
        if entry.name.isdecimal():
            # a process may end while we look
            with contextlib.suppress(OSError):
                rows.append(" ".join(_plain_row(entry, now_s - uptime_s)))
    return "\n".join(rows)


def _plain_row(process: Path, booted_s: float) -> Iterator[str]:
    stat = (process / "stat").read_text(encoding="utf-8", errors="replace")
    name = stat[stat.index("(") + 1 : stat.rindex(")")]
    fields = stat[stat.rindex(")") + 2 :].split()
    words = (process / "cmdline").read_bytes().rstrip(b"\0").replace(b"\0", b" ")
    cpu_s = (int(fields[11]) + int(fields[12])) // _TICKS_PER_S
    started = time.localtime(booted_s + int(fields[19]) / _TICKS_PER_S)
    yield _user_name(process.stat().st_uid)
    yield process.name
    yield fields[1]
    yield "0"
    yield time.strftime("%H:%M", started)
    yield "?"
    yield f"{cpu_s // 3600:02}:{cpu_s // 60 % 60:02}:{cpu_s % 60:02}"
    yield _one_line(words.decode(errors="replace") or f"[{name}]")


def _one_line(words: str) -> str:
    """Return the words with a question mark for each control character, as `ps` shows them."""
    return "".join(letter if letter.isprintable() else "?" for letter in words)


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
