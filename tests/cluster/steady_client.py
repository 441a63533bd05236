"""A client that asks at a steady rate, whatever becomes of the answers: a process in any network.

`python -m tests.cluster.steady_client ADDRESS PORT RATE` begins at once, and ends when its input
does; then it prints what became of the requests, as JSON. Each is a connection of its own. A
request counts as lost when it is refused or reset, has no good answer, or none within ten seconds.
It takes precedence over others on the machine: what they leave it is not what it is to tell.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import msgspec
import uvloop
from msgspec import Struct, field

_LIMIT_S = 10.0
_PRECEDENCE = -15
_REQUEST = b"GET / HTTP/1.0\r\n\r\n"
_GOOD = b"HTTP/1.1 200 ", b"HTTP/1.0 200 "
_LOOK_S = 0.005
_BEGUN = b"\n"


class Loss(Struct, frozen=True):
    """A request that had no good answer: when it was sent, seconds of the monotonic clock."""

    at_s: float
    took_s: float
    why: str


class Account(Struct):
    """What became of all requests; `late` counts the answers that took more than a second."""

    sent: int = 0
    late: int = 0
    worst_s: float = 0.0
    lost: list[Loss] = field(default_factory=list)


class _Request(asyncio.Protocol):
    """One connection: asks, and reads to the end, for the server hangs up."""

    def __init__(self, done: asyncio.Future[None]) -> None:
        self._done = done
        self._heard = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.Transport", transport).write(_REQUEST)

    def data_received(self, data: bytes) -> None:
        self._heard += data

    def connection_lost(self, exc: Exception | None) -> None:
        if self._done.done():
            return
        if exc is None and not self._heard.startswith(_GOOD):
            exc = ConnectionError(f"answered {self._heard[:40]!r}")
        if exc is None:
            self._done.set_result(None)
        else:
            self._done.set_exception(exc)


async def _ask(address: str, port: int, account: Account) -> None:
    loop = asyncio.get_running_loop()
    began_s = time.monotonic()
    done: asyncio.Future[None] = loop.create_future()
    transport: asyncio.BaseTransport | None = None
    why = ""
    try:
        async with asyncio.timeout(_LIMIT_S):
            transport, _ = await loop.create_connection(lambda: _Request(done), address, port)
            await done
    except OSError as error:
        why = repr(error)
    finally:
        if transport is not None:
            transport.close()
    took_s = time.monotonic() - began_s
    account.worst_s = max(account.worst_s, took_s)
    account.late += took_s > 1
    if why:
        account.lost.append(Loss(began_s, took_s, why))


async def _steadily(address: str, port: int, rate: float) -> Account:
    """Ask until standard input ends.

    What a busy machine kept it from asking it does not make up for: many at once would be no steady
    rate, and more than the nine that the kernel holds for busybox's server.
    """
    account = Account()
    loop = asyncio.get_running_loop()
    sys.stdout.buffer.write(_BEGUN)
    sys.stdout.buffer.flush()
    over = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), over.set)
    due_s = time.monotonic()
    under_way: set[asyncio.Task[None]] = set()
    while not over.is_set():
        now_s = time.monotonic()
        due_s = max(due_s, now_s - 2 * _LOOK_S)
        while due_s <= now_s:
            due_s += 1 / rate
            account.sent += 1
            task = loop.create_task(_ask(address, port, account))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
        await asyncio.sleep(_LOOK_S)
    await asyncio.gather(*under_way)
    return account


@contextmanager
def asking(space: Path, address: str, port: int, rate: float) -> Iterator[Account]:
    """Ask from a network namespace; when it is over, the account tells what became of it."""
    command = ["nsenter", f"--net={space}", sys.executable, "-m", "tests.cluster.steady_client"]
    account = Account()
    with subprocess.Popen(
        [*command, address, str(port), str(rate)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as client:
        assert client.stdout is not None
        try:
            client.stdout.read(len(_BEGUN))
            yield account
        finally:
            told, _ = client.communicate(timeout=60)
        assert client.returncode == 0, f"the client ended with {client.returncode}"
        heard = msgspec.json.decode(told, type=Account)
    for name in Account.__struct_fields__:
        setattr(account, name, getattr(heard, name))


def main() -> None:
    """Ask, then tell."""
    address, port, rate = sys.argv[1:]
    os.nice(_PRECEDENCE)
    account = uvloop.run(_steadily(address, int(port), float(rate)))
    sys.stdout.buffer.write(msgspec.json.encode(account))


if __name__ == "__main__":
    main()
