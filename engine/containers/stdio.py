"""Carries the stdio of one process between its monitor and one client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from enum import Enum, auto

from api.frames import Stream, frame_header
from api.http.hijack import Duplex
from engine.core.detach_keys import DetachFilter
from engine.ports.runtime import MonitorStream

# up to here one write with a copy is cheaper than two writes
_COPIED_BYTES = 1 << 16


class Ending(Enum):
    """Why carrying ended: the process's output did, the client left, or typed its detach keys."""

    OUTPUT_ENDED = auto()
    CLIENT_GONE = auto()
    DETACHED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The streams that a client wants; `raw` sends output without frames, as a terminal needs.

    `detach_keys` are watched for in a terminal's input, and in no other.
    """

    stdin: bool
    stdout: bool
    stderr: bool
    raw: bool
    detach_keys: bytes = b""

    def wants(self, stream: int) -> bool:
        """Tell whether output of this stream goes to the client."""
        return self.stdout if stream == Stream.STDOUT else self.stderr


async def output_of(stream: MonitorStream, choice: Choice) -> AsyncGenerator[bytes, None]:
    """Yield what the client gets of a process's output; what it did not ask for is read away."""
    while (piece := await stream.read()) is not None:
        number, payload = piece
        if not choice.wants(number):
            continue
        if choice.raw:
            yield payload
        elif len(payload) <= _COPIED_BYTES:
            yield frame_header(number, len(payload)) + payload
        else:
            yield frame_header(number, len(payload))
            yield payload


async def carry(
    client: Duplex, output: AsyncIterator[bytes], stream: MonitorStream | None, choice: Choice
) -> Ending:
    """Carry output to the client and its input to `stream` until one of the endings.

    A client that only ends its input (half-close) gets the output all the same; the process's
    stdin is closed then, but never a terminal's. Without `stream`, input is read and dropped.
    """
    sending = asyncio.create_task(_send(client, output))
    typing = asyncio.create_task(_take_input(client, stream, choice))
    leaving = asyncio.create_task(client.closed())
    waiting: set[asyncio.Task[Ending | None]] = {sending, typing, leaving}
    try:
        while True:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if sending in done:
                return sending.result()
            if leaving in done:
                return Ending.CLIENT_GONE
            if typing in done and (ending := typing.result()) is not None:
                return ending
    finally:
        tasks = (sending, typing, leaving)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _send(client: Duplex, output: AsyncIterator[bytes]) -> Ending:
    async for data in output:
        try:
            await client.write(data)
        except ConnectionError:
            return Ending.CLIENT_GONE
    return Ending.OUTPUT_ENDED


async def _take_input(
    client: Duplex, stream: MonitorStream | None, choice: Choice
) -> Ending | None:
    """Pass input on to its end; None when it merely ended."""
    keys = DetachFilter(choice.detach_keys) if choice.raw and choice.detach_keys else None
    try:
        while data := await client.read():
            if stream is None or not choice.stdin:
                continue
            if keys is None:
                await stream.write(data)
                continue
            passed, is_detach = keys.feed(data)
            if passed:
                await stream.write(passed)
            if is_detach:
                return Ending.DETACHED
    except ConnectionError:
        return Ending.CLIENT_GONE
    if stream is not None and choice.stdin and not choice.raw:
        stream.write_eof()
    return None
