"""Carrying stdio between a process and one client."""

from __future__ import annotations

import asyncio

from api.frames import FrameDecoder, Stream
from engine.containers.stdio import Choice, Ending, carry, output_of
from tests.fakes.client import FakeClient
from tests.fakes.monitor_stream import FakeMonitorStream

EVERYTHING = Choice(stdin=True, stdout=True, stderr=True, raw=False)
TERMINAL = Choice(stdin=True, stdout=True, stderr=True, raw=True, detach_keys=b"\x10\x11")


def begin(client: FakeClient, process: FakeMonitorStream, choice: Choice) -> asyncio.Task[Ending]:
    """Carry behind the test."""
    return asyncio.create_task(carry(client, output_of(process, choice), process, choice))


async def test_output_is_framed_by_stream_until_it_ends() -> None:
    """What `docker run` without a terminal prints."""
    client, process = FakeClient(), FakeMonitorStream()
    process.output(1, b"out")
    process.output(2, b"err")
    process.end()

    assert await begin(client, process, EVERYTHING) is Ending.OUTPUT_ENDED
    assert list(FrameDecoder().feed(bytes(client.received))) == [
        (Stream.STDOUT, b"out"),
        (Stream.STDERR, b"err"),
    ]


async def test_half_close_ends_stdin_and_output_goes_on() -> None:
    """`echo x | docker run -i image cat`."""
    client, process = FakeClient(), FakeMonitorStream()
    carrying = begin(client, process, EVERYTHING)
    client.send(b"x")
    client.end_input()
    await process.until_stdin_closed()

    process.output(1, b"x")
    process.end()

    assert await carrying is Ending.OUTPUT_ENDED
    assert process.typed == b"x"
    assert client.received.endswith(b"x")


async def test_half_close_never_closes_a_terminal() -> None:
    """A terminal's end of input is a key, ctrl-d."""
    client, process = FakeClient(), FakeMonitorStream()
    carrying = begin(client, process, TERMINAL)
    client.end_input()
    process.output(1, b"$ ")
    await client.until_received(b"$ ")
    process.end()

    await carrying

    assert not process.stdin_closed


async def test_stream_not_asked_for_is_read_away() -> None:
    """Left unread it would stall the process."""
    client, process = FakeClient(), FakeMonitorStream()
    process.output(2, b"err")
    process.output(1, b"out")
    process.end()

    await begin(client, process, Choice(stdin=False, stdout=True, stderr=False, raw=True))

    assert client.received == b"out"


async def test_client_that_vanishes_ends_the_carrying() -> None:
    """Also while it does not read: nothing may hang on a dead connection."""
    client, process = FakeClient(reads_output=False), FakeMonitorStream()
    carrying = begin(client, process, EVERYTHING)
    process.output(1, b"x")
    await asyncio.sleep(0)

    client.vanish()

    assert await carrying is Ending.CLIENT_GONE


async def test_input_that_nobody_asked_for_is_dropped() -> None:
    """An attach without stdin must not reach the process."""
    client, process = FakeClient(), FakeMonitorStream()
    carrying = begin(client, process, Choice(stdin=False, stdout=True, stderr=True, raw=False))
    client.send(b"rm -rf /\n")
    client.end_input()
    process.end()

    await carrying

    assert not process.typed
    assert not process.stdin_closed


async def test_detach_keys_leave_the_process_alone() -> None:
    """ctrl-p ctrl-q, typed one by one."""
    client, process = FakeClient(), FakeMonitorStream()
    carrying = begin(client, process, TERMINAL)
    for key in (b"ls\n", b"\x10", b"\x11"):
        client.send(key)

    assert await carrying is Ending.DETACHED
    assert process.typed == b"ls\n"
    assert not process.stdin_closed


async def test_slow_client_loses_nothing() -> None:
    """It gets all of it when it reads again."""
    client, process = FakeClient(reads_output=False), FakeMonitorStream()
    carrying = begin(client, process, TERMINAL)
    for number in range(100):
        process.output(1, b"%d," % number)
    process.end()
    await asyncio.sleep(0)

    client.resume()
    await carrying

    assert client.received == b"".join(b"%d," % number for number in range(100))
