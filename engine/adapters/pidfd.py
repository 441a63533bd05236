"""Processes by descriptor: waiting for their end without a thread, safe against reused pids."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select


def start_time(pid: int) -> int | None:
    """Return field 22 of /proc/PID/stat, clock ticks since boot; None when there is no process.

    One that ended and was not reaped yet counts as none.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            content = file.read()
    except OSError:
        return None
    # The command's name, in parentheses, may hold anything; after it the fields are plain.
    fields = content[content.rindex(b")") + 2 :].split()
    return None if fields[0] in {b"Z", b"X"} else int(fields[19])


def open_process(pid: int, started: int) -> int | None:
    """Return a descriptor of the process that has this pid since that time; None if it is gone."""
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        return None
    if start_time(pid) != started and not has_ended(descriptor):
        os.close(descriptor)
        return None
    return descriptor


def has_ended(descriptor: int) -> bool:
    """Tell whether the process ended."""
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    return bool(poller.poll(0))


async def ended(descriptor: int) -> None:
    """Return when the process ended; a child of ours is reaped. The descriptor stays open."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[None] = loop.create_future()
    loop.add_reader(descriptor, settle, future)
    try:
        await future
    finally:
        loop.remove_reader(descriptor)
    reap(descriptor)


def settle(future: asyncio.Future[None]) -> None:
    """Let who waits for the future go on."""
    if not future.done():
        future.set_result(None)


def reap(descriptor: int) -> None:
    """Take the exit status of a child that ended; others' children are none of our business."""
    with contextlib.suppress(ChildProcessError):
        os.waitid(os.P_PIDFD, descriptor, os.WEXITED | os.WNOHANG)
